// A token on its way from its members to its text. Header and claims are lists of names and JSON
// texts, for there are more of both than a JavaScript object can hold.
export const ISSUER = "https://id.example.com";
export const AUDIENCES = ["shop", "shop-admin"];
export const NOW = 1_800_000_000;
export const LEEWAY = 30;

export const base64url = (data) => Buffer.from(data).toString("base64url");
export const json = JSON.stringify;

// A good token, in one of many ways.
export function draft(keys, random) {
  const key = random.pick(
    [0, 0, 0, 1, 2, 3, 4, 4, 4, 4, 5, 5, 5, 6].map((index) => keys.ours[index]),
  );
  const header = [["alg", json(key.algorithm)]];
  if (key.kid !== undefined) header.push(["kid", json(key.kid)]);
  if (random.chance(80))
    header.push(["typ", json(random.pick(["JWT", "at+jwt", "application/at+jwt"]))]);
  const claims = [
    ["iss", json(ISSUER)],
    ["aud", random.pick(['"shop"', '["shop"]', '["other","shop-admin"]'])],
    ["sub", json(random.pick(["alice", "bob", "Zoë", "auth0|42", "李"]))],
    ["exp", String(NOW + 1 + random.below(3600))],
  ];
  if (random.chance(80)) claims.push(["iat", String(NOW - random.below(3600))]);
  if (random.chance(40)) claims.push(["nbf", String(NOW - random.below(3600))]);
  if (random.chance(50)) claims.push(["email", '"alice@example.com"']);
  if (random.chance(50)) claims.push(["roles", '["buyer"]']);
  if (random.chance(50)) claims.push(["permissions", '["orders:create","orders:read"]']);
  return { key, header, claims, texts: [], parts: [], compact: [], sign: undefined };
}

function object(members) {
  const texts = members.map(([name, value]) => {
    const quoted = name.startsWith('"') ? name : json(name);
    return `${quoted}:${value}`;
  });
  return `{${texts.join(",")}}`;
}

export function set(members, name, value) {
  const found = members.find((member) => member[0] === name);
  if (found) found[1] = value;
  else members.push([name, value]);
}

export function remove(members, name) {
  const index = members.findIndex((member) => member[0] === name);
  if (index >= 0) members.splice(index, 1);
}

// A letter as an escape.
export const escaped = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;

// A place in a text, as what is before it and what is after it.
export function cut(text, random) {
  const at = random.below(text.length + 1);
  return [text.slice(0, at), text.slice(at)];
}

// Puts something in the place of a letter.
export function replaceAt(text, random, other) {
  const at = random.below(text.length);
  return text.slice(0, at) + other + text.slice(at + 1);
}

// Signs the token and writes it, with what the mutations have asked for on the way.
export function write(token, random) {
  const texts = [token.header, token.claims].map(object);
  // A text that has become bytes is left alone by what comes after.
  for (const change of token.texts) {
    if (texts.every((text) => typeof text === "string" && text !== "")) change(texts);
  }
  const parts = texts.map(base64url);
  for (const change of token.parts) change(parts);
  const message = parts.join(".");
  const signature = (token.sign ?? ((text) => token.key.sign(text, random)))(message, random);
  const compact = [...parts, base64url(signature)].join(".");
  // A line feed ends the token in the file that both sides read.
  return token.compact.reduce((all, change) => change(all), compact).replaceAll("\n", "");
}
