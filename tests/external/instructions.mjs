// Makes a table of what gungraun has counted, a summary on each line of the standard input, and
// fails when a mark is missed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

// So many calls were counted, as bench/instructions says.
const CALLS = 1000;

// What the layers add is what is counted with them, less what is counted without. At most so many
// percent of a bare call.
const ROWS = [
  { what: "one internal hop", layers: "hop", none: "hop_without_layers", most: 2 },
  { what: "the edge, warm token", layers: "edge", none: "edge_without_layer", most: 2 },
  {
    what: "one internal hop, with deadline and trace",
    layers: "traced_hop",
    none: "traced_hop_without_layers",
  },
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
for (const { what, layers, none, most } of ROWS) {
  const added = instructions(layers) - instructions(none);
  assert.ok(added > 0, `nothing was added by ${layers}`);
  const bare = instructions("bare");
  const percent = (added / bare) * 100;
  const holds = percent <= most;
  if (!holds && most !== undefined) process.exitCode = 1;
  const marked = most === undefined ? ["", ""] : [`${most} %`, holds ? "held" : "**not held**"];
  const cells = [what, added.toFixed(), bare.toFixed(), percent.toFixed(2), ...marked];
  console.log(`| ${cells.join(" | ")} |`);
}
