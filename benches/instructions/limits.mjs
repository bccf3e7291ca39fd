// Makes a table of gungraun's counts, one summary on each line of the standard input, and fails when
// a count exceeds its limit.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

// Number of counted calls, as in benches/benches/instructions.rs.
const CALLS = 1000;

// The layers' cost is the count with them less the count without. In percent of a bare call: the goal
// (`target`), and the upper limit (`limit`), which is close to the present count.
const ROWS = [
  { what: "one internal hop", layers: "hop", none: "hop_without_layers", target: 2, limit: 8.7 },
  { what: "the edge, warm token", layers: "edge", none: "edge_without_layer", target: 2, limit: 8.47 },
  {
    what: "one internal hop, with deadline and trace",
    layers: "traced_hop",
    none: "traced_hop_without_layers",
    limit: 11.6,
  },
  { what: "a policy that allows the call", layers: "served_by_policy", none: "served", limit: 1 },
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

console.log("| work | instructions | the bare tonic call | % | limit | target |");
console.log("|---|--:|--:|--:|--:|---|");
for (const { what, layers, none, target, limit } of ROWS) {
  const added = instructions(layers) - instructions(none);
  assert.ok(added > 0, `nothing was added by ${layers}`);
  const bare = instructions("bare");
  const percent = (added / bare) * 100;
  const times = (percent / target).toFixed(1);
  const held = percent <= target ? `${target} %, held` : `${target} %, missed: ${times} times that`;
  const cells = [what, added.toFixed(), bare.toFixed(), percent.toFixed(2), `${limit} %`];
  console.log(`| ${[...cells, target === undefined ? "" : held].join(" | ")} |`);
  if (percent > limit) {
    console.error(`${what}: ${percent.toFixed(2)} %, and the limit is ${limit} %`);
    process.exitCode = 1;
  }
}
