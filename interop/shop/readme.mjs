// Runs the ```console blocks of a Markdown file in one shell, and compares what each command prints
// with the output in the file. The shop may be on other ports than in the file.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const [file, portBase] = process.argv.slice(2);
const port = (_, offset) => `127.0.0.1:${Number(portBase) + Number(offset)}`;
const markdown = readFileSync(file, "utf8").replace(/127\.0\.0\.1:5005([0-4])/g, port);
const blocks = [...markdown.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block]) => block);

const commands = [];
for (const line of blocks.join("").split("\n")) {
  if (line.startsWith("$ ")) commands.push({ command: line.slice(2), expected: "" });
  else if (line !== "") commands.at(-1).expected += `${line}\n`;
}
if (commands.length === 0) throw new Error("no commands found");

// One shell for all, so that variables live on; a line of its own separates the responses.
const separator = "-- the next command --";
const script = commands.map(({ command }) => `${command}\necho '${separator}'\n`).join("");
const { stdout } = spawnSync("bash", ["-c", `exec 2>&1\n${script}`], { encoding: "utf8" });

// Which number an order gets depends on how many there were before.
const normalise = (text) => text.replace(/order-\d+/g, "order-N");
const responses = stdout.split(`${separator}\n`);
commands.forEach(({ command, expected }, index) => {
  if (normalise(responses[index] ?? "") === normalise(expected)) return;
  console.error(`$ ${command}\nexpected:\n${expected}\nreceived:
${responses[index]}`);
  process.exit(1);
});
console.log(`${commands.length} commands have the responses of the file`);
