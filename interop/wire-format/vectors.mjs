// Reads and writes the user context as docs/wire-format.md says, with what JavaScript has, and
// checks it against the vectors.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const BUDGET = 4096;
const LISTS = ["roles", "permissions"];
const KNOWN = ["id", "email", ...LISTS];
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/;

const fold = (name) => name.toLowerCase().replace(/[^a-z0-9]/g, "");

function escape(text, separator) {
  const hex = (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  const encode = (char, index, all) => {
    const outer = index === 0 || index === all.length - 1;
    const plain = /^[ -~]$/.test(char) && char !== "%" && char !== separator;
    return plain && !(char === " " && outer) ? char : [...Buffer.from(char)].map(hex).join("");
  };
  return [...text].map(encode).join("");
}

function unescape(text) {
  if (text === "") throw new Error("Empty");
  if (!/^[ -~]*$/.test(text) || /^ | $/.test(text)) throw new Error("Unencoded");
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw new Error("MalformedEscape");
  let value;
  try {
    value = decodeURIComponent(text);
  } catch {
    throw new Error("NotUtf8");
  }
  if (CONTROLS.test(value)) throw new Error("ControlCharacter");
  return value;
}

function write(context) {
  const metadata = { "x-user-id": escape(context.id) };
  if (context.email !== undefined) metadata["x-user-email"] = escape(context.email);
  for (const list of LISTS) {
    const items = context[list].map((item) => escape(item, ","));
    if (items.length > 0) metadata[`x-user-${list}`] = items.join(",");
  }
  for (const [name, value] of Object.entries(context.attributes)) {
    metadata[`x-user-${name}`] = escape(value);
  }
  return metadata;
}

function read(pairs) {
  const context = { roles: [], permissions: [], attributes: {} };
  const seen = new Map();
  let size = 0;
  for (const [key, value] of pairs) {
    if (!fold(key).startsWith("xuser")) continue;
    const [, name] = /^x-user-([a-z0-9]+(?:-[a-z0-9]+)*)$/.exec(key) ?? [];
    const alias = name !== undefined && !KNOWN.includes(name) && KNOWN.includes(fold(name));
    if (name === undefined || alias || /(^|-)bin$/.test(name)) throw new Error("Aliased");
    size += key.length + value.length + 32;
    if (size > BUDGET) throw new Error("TooLarge");
    if (seen.has(fold(key))) throw new Error(seen.get(fold(key)) === key ? "Repeated" : "Aliased");
    seen.set(fold(key), key);
    if (LISTS.includes(name)) context[name] = value.split(",").map(unescape);
    else if (KNOWN.includes(name)) context[name] = unescape(value);
    else context.attributes[name] = unescape(value);
  }
  if (context.id === undefined) throw new Error("MissingId");
  return context;
}

const vectors = JSON.parse(readFileSync(new URL("../../tests/wire/vectors.json", import.meta.url)));
for (const { name, context, metadata } of vectors.valid) {
  assert.deepEqual(write(context), metadata, `written: ${name}`);
}
for (const { name, context, metadata } of [...vectors.valid, ...vectors.decode_only]) {
  assert.deepEqual(read(Object.entries(metadata)), context, `read: ${name}`);
}
for (const { name, metadata, error } of vectors.invalid) {
  assert.throws(() => read(metadata), { message: error }, `refused: ${name}`);
}
const count = Object.values(vectors).flat().length;
assert.ok(count > 100, "vectors are missing");
console.log(`${count} vectors passed`);
