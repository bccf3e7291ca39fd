// Makes tokens, has them verified by both sides, and compares: `differential.mjs <our program>
// <folder with node_modules>`.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ACCEPTED_HERE, REFUSED_HERE } from "./differences.mjs";
import { makeKeys } from "./keys.mjs";
import { ALL, mutant } from "./mutations.mjs";
import { Random } from "./random.mjs";
import { AUDIENCES, ISSUER, LEEWAY, NOW } from "./token.mjs";

const COUNT = 100_000;
// Where hardly any token is still good, a verifier that refuses everything looks as good as ours.
const LEAST_ACCEPTED = COUNT / 10;
// How many tokens jose is given at a time.
const BATCH = 500;

const [program, modules] = process.argv.slice(2);
const seed = process.env.SEED ?? "1";
const require = createRequire(`${resolve(modules)}/`);
const { createLocalJWKSet, jwtVerify } = await import(pathToFileURL(require.resolve("jose")));

const random = new Random(seed);
const keys = makeKeys(seed);
const jwks = { keys: keys.ours.map((key) => key.jwk) };
const options = {
  algorithms: [...new Set(jwks.keys.map((key) => key.alg)), "Ed25519"],
  audience: AUDIENCES,
  clockTolerance: LEEWAY,
  currentDate: new Date(NOW * 1000),
  issuer: ISSUER,
  requiredClaims: ["iss", "sub", "aud", "exp"],
};
const mutants = Array.from({ length: COUNT }, () => mutant(keys, random));
const lines = mutants.map(({ token }) => `${token}\n`).join("");
const digest = createHash("sha256").update(lines).digest("hex");
console.log(`${COUNT} tokens of the seed ${seed}, SHA-256 ${digest.slice(0, 16)}`);

const ours = verifyHere();
const theirs = await verifyByJose();
process.exitCode = (await compare()) ? 0 : 1;

// Returns this library's result for each token.
function verifyHere() {
  const folder = mkdtempSync(join(tmpdir(), "jose-differential-"));
  try {
    const file = join(folder, "jwks.json");
    writeFileSync(file, JSON.stringify(jwks));
    const args = ["--jwks", file, "--issuer", ISSUER, "--at", NOW, "--leeway", LEEWAY];
    for (const audience of AUDIENCES) args.push("--audience", audience);
    const run = spawnSync(program, args.map(String), {
      input: lines,
      encoding: "utf8",
      maxBuffer: 2 ** 30,
    });
    if (run.status !== 0 || run.stderr !== "")
      throw new Error(`${program}: ${run.error ?? run.stderr}`);
    const results = run.stdout
      .trimEnd()
      .split("\n")
      .map((line) => {
        const [, verdict, why] = /^(accepted|refused)\t(.*)$/.exec(line);
        return { accepted: verdict === "accepted", why };
      });
    if (results.length !== COUNT) throw new Error(`${results.length} results`);
    return results;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// Returns jose's result for each token, with the same configuration.
async function verifyByJose() {
  const keySet = createLocalJWKSet(jwks);
  const verify = ({ token }) =>
    jwtVerify(token, keySet, options).then(
      ({ payload }) => ({ accepted: true, subject: payload.sub }),
      (error) => ({ accepted: false, error }),
    );
  const results = [];
  while (results.length < COUNT) {
    const batch = mutants.slice(results.length, results.length + BATCH);
    results.push(...(await Promise.all(batch.map(verify))));
  }
  return results;
}

// The texts of header and claims, and what they say, as far as they can be read.
function decode(token) {
  const texts = token
    .split(".")
    .slice(0, 2)
    .map((part) => Buffer.from(part, "base64url").toString());
  const [header, claims] = texts.map((text) => {
    try {
      return JSON.parse(text) ?? {};
    } catch {
      return {};
    }
  });
  return { texts, header, claims };
}

// The rows that explain why jose refuses a token: without their reasons, it accepts it.
async function explanation(token) {
  const decoded = decode(token);
  const rows = ACCEPTED_HERE.filter((row) => row.explains(decoded, { now: NOW, leeway: LEEWAY }));
  const adjust = (sofar, row) => row.instead(decoded, ...sofar);
  const [keys, others] = rows.reduce(adjust, [jwks, options]);
  const result = jwtVerify(token, createLocalJWKSet(keys), others);
  return result.then(
    () => rows,
    () => [],
  );
}

async function compare() {
  const counts = new Map([...ACCEPTED_HERE, ...REFUSED_HERE].map(({ name }) => [name, 0]));
  const count = ({ name }) => counts.set(name, counts.get(name) + 1);
  const problems = [];
  let [accepted, refused, explained, stricter] = [0, 0, 0, 0];
  for (const [index, { token, names }] of mutants.entries()) {
    const [here, there] = [ours[index], theirs[index]];
    const problem = (what) => problems.push(`${what}\n  ${names.join(" + ")}\n  ${token}`);
    if (here.accepted && there.accepted) {
      accepted += 1;
      if (here.why !== there.subject) problem(`${here.why} here, ${there.subject} by jose`);
    } else if (here.accepted) {
      const rows = await explanation(token);
      for (const row of rows) count(row);
      if (rows.length === 0) problem(`accepted here, refused by jose: ${there.error}`);
      else explained += 1;
    } else if (there.accepted) {
      const row = REFUSED_HERE.find((row) => row.explains(decode(token), here.why));
      if (row) count(row);
      else problem(`refused here, for no cause that is named: ${here.why}`);
      stricter += 1;
    } else {
      refused += 1;
    }
  }

  const made = new Set(mutants.flatMap(({ names }) => names));
  for (const name of ALL.filter((name) => !made.has(name))) problems.push(`never made: ${name}`);
  for (const [name, count] of counts) if (count === 0) problems.push(`explains no token: ${name}`);
  if (accepted < LEAST_ACCEPTED) problems.push(`only ${accepted} tokens were accepted by both`);

  const table = (title, rows) => {
    console.log(`\n${title}`);
    for (const { name, reason } of rows)
      console.log(`  ${name}: ${counts.get(name)}\n      ${reason}`);
  };
  console.log(`${accepted} accepted by both, ${refused} refused by both`);
  table(`${explained} accepted here and refused by jose`, ACCEPTED_HERE);
  table(`${stricter} refused here and accepted by jose`, REFUSED_HERE);
  for (const problem of problems.slice(0, 20)) console.error(`\n${problem}`);
  if (problems.length > 0) console.error(`\n${problems.length} problems`);
  return problems.length === 0;
}
