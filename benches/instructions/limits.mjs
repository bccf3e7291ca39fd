// Makes a table of what gungraun has counted, a summary on each line of the standard input, and
// fails when more is counted than was reached so far.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

// So many calls were counted, as benches/benches/instructions.rs says.
const CALLS = 1000;

// What the layers add is what is counted with them, less what is counted without. In percent of a bare
// call: where that should be (`mark`), and where it is (`most`, which is not to be raised).
const ROWS = [
  { what: "one internal hop", layers: "hop", none: "hop_without_layers", mark: 2, most: 10 },
  { what: "the edge, warm token", layers: "edge", none: "edge_without_layer", mark: 2, most: 9.5 },
  {
    what: "one internal hop, with deadline and trace",
    layers: "traced_hop",
    none: "traced_hop_without_layers",
    most: 12.5,
  },
  { what: "a policy that allows the call", layers: "served_by_policy", none: "served", most: 1 },
];

const counted = new Map();
for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  const { id, profiles } = JSON.parse(line);
  counted.set(id, profiles[0].data.total.metrics.Ir.values.new / CALLS);
}

function instructions(id) {
  assert.ok(counted.get(id) > 0, `${id} was not counted`);
  return counted.get(id);
}

console.log("| what | instructions | the bare tonic call | % | at most | mark |");
console.log("|---|--:|--:|--:|--:|---|");
for (const { what, layers, none, mark, most } of ROWS) {
  const added = instructions(layers) - instructions(none);
  assert.ok(added > 0, `nothing was added by ${layers}`);
  const bare = instructions("bare");
  const percent = (added / bare) * 100;
  const times = (percent / mark).toFixed(1);
  const held = percent <= mark ? `${mark} %, held` : `${mark} %, missed: ${times} times that`;
  const cells = [what, added.toFixed(), bare.toFixed(), percent.toFixed(2), `${most} %`];
  console.log(`| ${[...cells, mark === undefined ? "" : held].join(" | ")} |`);
  if (percent > most) {
    console.error(`${what}: ${percent.toFixed(2)} %, and it was ${most} % at most`);
    process.exitCode = 1;
  }
}
