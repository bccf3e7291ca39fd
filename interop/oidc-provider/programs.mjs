// Starts and stops the provider and the shop's programs. Each logs to a file of its name.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setTimeout as pause } from "node:timers/promises";
import { call } from "./client.mjs";
import { GATEWAY, INVENTORY, ISSUER, ORDERS, PROVIDER, USERS } from "./places.mjs";

const { LOGS, PROGRAMS } = process.env;
// In milliseconds.
const PATIENCE = 20_000;

const running = new Map();

// Tries again and again, for so long that waiting longer would be in vain.
export async function until(what, attempt) {
  const deadline = Date.now() + PATIENCE;
  while (!(await attempt())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await pause(50);
  }
}

async function start(name, program, args, { input = "", responds }) {
  const log = openSync(`${LOGS}/${name}.log`, "a");
  const child = spawn(program, args, { stdio: ["pipe", log, log] });
  closeSync(log);
  await once(child, "spawn");
  running.set(name, child);
  child.stdin.end(input);
  await until(`${name} to respond`, () => {
    if (child.exitCode !== null) throw new Error(`${name} has ended`);
    return responds();
  });
}

function startProgram(name, address, options = []) {
  const responds = async () => (await call(address, "grpc.health.v1.Health/Check")).code === 0;
  return start(name, `${PROGRAMS}/${name}`, ["--listen", address, ...options], { responds });
}

export async function startServices() {
  const [inventory, users] = [`http://${INVENTORY}`, `http://${USERS}`];
  await Promise.all([
    startProgram("inventory_service", INVENTORY),
    startProgram("user_service", USERS),
    startProgram("order_service", ORDERS, ["--inventory", inventory, "--users", users]),
  ]);
}

export function startGateway() {
  const upstreams = ["--orders", `http://${ORDERS}`, "--users", `http://${USERS}`];
  const keys = ["--issuer", ISSUER, "--audience", "shop", "--min-fetch-interval", "1"];
  return startProgram("gateway", GATEWAY, [...keys, ...upstreams]);
}

// Starts the provider with these keys, of which it signs with the first.
export function startProvider(...keys) {
  const program = fileURLToPath(new URL("provider.mjs", import.meta.url));
  const responds = async () => {
    const response = fetch(`${ISSUER}/jwks`, { signal: AbortSignal.timeout(1000) });
    return response.then(({ ok }) => ok).catch(() => false);
  };
  const input = JSON.stringify({ keys });
  return start("provider", process.execPath, [program, PROVIDER], { input, responds });
}

export async function stop(name) {
  const child = running.get(name);
  running.delete(name);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill();
  const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  await ended;
  clearTimeout(late);
}

export const stopAll = () => Promise.all([...running.keys()].map(stop));

export const logged = (name) => readFileSync(`${LOGS}/${name}.log`, "utf8");
