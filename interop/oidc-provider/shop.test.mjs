// The shop, called with the tokens of a real identity provider. The tests run in order, and each
// starts from where the last has left the provider and the gateway.
import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { after, before, test } from "node:test";
import { call, callPatiently, signIn, token, tokenOfProgram } from "./client.mjs";
import { GATEWAY } from "./places.mjs";
import { startGateway, startProvider, startServices } from "./programs.mjs";
import { logged, stop, stopAll, until } from "./programs.mjs";

const [OK, PERMISSION_DENIED, UNAVAILABLE, UNAUTHENTICATED] = [0, 7, 14, 16];
const CREATE = "shop.v1.OrderService/CreateOrder";
const GET = "shop.v1.OrderService/GetOrder";
const WHO_AM_I = "shop.v1.UserService/WhoAmI";
const TEA = { items: [{ sku: "tea", quantity: 1 }] };

const key = (kid, alg, type, options) => {
  const jwk = generateKeyPairSync(type, options).privateKey.export({ format: "jwk" });
  return { ...jwk, kid, alg, use: "sig" };
};
const first = key("first", "ES256", "ec", { namedCurve: "P-256" });
const second = key("second", "RS256", "rsa", { modulusLength: 2048 });
const third = key("third", "ES256", "ec", { namedCurve: "P-256" });

const decode = (part) => JSON.parse(Buffer.from(part, "base64url"));
const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
const whoAmI = (token) => call(GATEWAY, WHO_AM_I, { token });

async function assertAccepted(token) {
  const response = await callPatiently(GATEWAY, WHO_AM_I, { token });
  assert.equal(response.code, OK, JSON.stringify(response));
}

async function assertRefused(token, reason, name) {
  const { code, reason: found } = await whoAmI(token);
  assert.deepEqual({ code, reason: found }, { code: UNAUTHENTICATED, reason }, name);
}

before(async () => {
  await startProvider(first);
  await startServices();
  await startGateway();
});
after(stopAll);

test("a buyer creates an order, and each service knows whose it is", async () => {
  const buyer = await token("buyer");
  assert.equal(decode(buyer.split(".")[0]).typ, "at+jwt");
  await assertAccepted(buyer);

  const { code, message } = await call(GATEWAY, CREATE, { token: buyer, data: TEA });
  assert.equal(code, OK);
  assert.equal(message.createdBy, "buyer");
  assert.equal(message.reservedBy, "buyer");
  assert.deepEqual(message.customer, { id: "buyer", email: "buyer@example.com" });
});

test("a viewer may not create an order", async () => {
  const viewer = await token("viewer");
  const { code, reason } = await call(GATEWAY, CREATE, { token: viewer, data: TEA });
  assert.deepEqual({ code, reason }, { code: PERMISSION_DENIED, reason: "PERMISSION_MISSING" });
});

test("an admin reads what a buyer ordered, which a viewer may not", async () => {
  const [viewer, admin] = [await token("viewer"), await token("admin")];
  const buyers = { token: await token("buyer"), data: TEA };
  const { message: order } = await call(GATEWAY, CREATE, buyers);
  const read = (token) => call(GATEWAY, GET, { token, data: { id: order.id } });
  assert.equal((await read(viewer)).code, PERMISSION_DENIED);
  assert.deepEqual((await read(admin)).message, order);
});

test("a program that acts for itself is known by its client id", async () => {
  const { message } = await whoAmI(await tokenOfProgram());
  assert.equal(message.user.id, "stocktaking");
});

test("a token that was tampered with is refused", async () => {
  const [header, claims, signature] = (await token("viewer")).split(".");
  const forged = encode({ ...decode(claims), sub: "admin" });
  const middle = signature.length / 2;
  const other = signature[middle] === "A" ? "B" : "A";
  const flipped = signature.slice(0, middle) + other + signature.slice(middle + 1);
  for (const [name, parts] of Object.entries({
    "other claims": [header, forged, signature],
    "another signature": [header, claims, flipped],
    "no signature": [header, claims, ""],
  })) {
    await assertRefused(parts.join("."), "TOKEN_INVALID", name);
  }
});

test("a token that somebody else signed is refused", async () => {
  const [header, claims] = (await token("admin")).split(".");
  const theirs = createPrivateKey({ key: third, format: "jwk" });
  const options = { key: theirs, dsaEncoding: "ieee-p1363" };
  const signature = sign("sha256", `${header}.${claims}`, options).toString("base64url");
  await assertRefused(`${header}.${claims}.${signature}`, "TOKEN_INVALID");
});

test("what is no access token of the shop is refused", async () => {
  const { id_token, access_token: opaque } = await signIn("buyer", null);
  assert.equal(opaque.split(".").length, 1);
  await assertRefused(opaque, "TOKEN_INVALID", "an opaque access token");
  await assertRefused(id_token, "TOKEN_INVALID", "an ID token");
  const elsewhere = await token("buyer", "urn:warehouse");
  await assertRefused(elsewhere, "TOKEN_INVALID", "a token for another audience");
});

test("an expired token is distinguished from an invalid one", async () => {
  const brief = await token("buyer", "urn:shop:briefly");
  await until("the token to expire", async () => (await whoAmI(brief)).code !== OK);
  await assertRefused(brief, "TOKEN_EXPIRED");
});

let ofFirstKey;
let ofSecondKey;
let ofThirdKey;

test("a new key is picked up, and the old one is good as long as it is published", async () => {
  ofFirstKey = await token("buyer");
  await stop("provider");
  await startProvider(second, first);

  ofSecondKey = await token("buyer");
  assert.equal(decode(ofSecondKey.split(".")[0]).kid, "second");
  await assertAccepted(ofSecondKey);
  await assertAccepted(ofFirstKey);
});

test("a key that was withdrawn is good for nothing once the set was fetched anew", async () => {
  await stop("provider");
  await startProvider(third);

  // They were issued before the fetch that the first token of the third key leads to.
  assert.equal((await whoAmI(ofSecondKey)).code, OK);
  ofThirdKey = await token("buyer");
  await assertAccepted(ofThirdKey);
  await assertRefused(ofFirstKey, "TOKEN_INVALID", "the first key");
  await assertRefused(ofSecondKey, "TOKEN_INVALID", "the second key");
});

test("while the provider is down, its last keys are used", async () => {
  await stop("provider");
  assert.equal((await whoAmI(ofThirdKey)).code, OK);

  // A token of a key that is not there has the set fetched, which fails and changes nothing.
  const before = logged("gateway").length;
  await assertRefused(ofFirstKey, "TOKEN_INVALID");
  const failed = () => logged("gateway").slice(before).includes("fetching keys failed");
  await until("a fetch to fail", failed);
  assert.equal((await whoAmI(ofThirdKey)).code, OK);
  await assertRefused(ofFirstKey, "TOKEN_INVALID");
});

test("a gateway that starts while the provider is down says so, and heals by itself", async () => {
  await stop("gateway");
  await startGateway();
  const { code, reason, retryDelay } = await whoAmI(ofThirdKey);
  assert.deepEqual({ code, reason }, { code: UNAVAILABLE, reason: "KEYS_UNAVAILABLE" });
  assert.match(retryDelay, /^\d+(\.\d+)?s$/);

  await startProvider(third);
  await assertAccepted(ofThirdKey);
});

test("no program of the shop writes a token to its log", () => {
  for (const name of ["gateway", "order_service", "inventory_service", "user_service"]) {
    assert.doesNotMatch(logged(name), /eyJ/, name);
  }
});
