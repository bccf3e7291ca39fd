// Where this library and jose may differ, and why. A difference that no row explains is a failure,
// and so is a row that explains none.

// Accepted here, refused by jose. `explains` sees the token, decoded; `instead` changes what jose
// is told, keys and options, so that the row's reason is gone: without it, jose must accept.
export const ACCEPTED_HERE = [
  {
    name: "alg is Ed25519, the key's is EdDSA",
    reason: "RFC 9864, section 2.2: for this curve, both names mean the same; jose compares them",
    explains: ({ header }) => header.alg === "Ed25519",
    instead: (_, keys, options) => [withKey(keys, "EdDSA", { alg: "Ed25519" }), options],
  },
  {
    name: "kid names none of the keys, and one has no id",
    reason: "RFC 7515, section 4.1.4: kid is a hint; the key is the issuer's, with one algorithm",
    explains: ({ header }) => header.alg === "ES384" && header.kid !== undefined,
    instead: ({ header }, keys, options) => [withKey(keys, "ES384", { kid: header.kid }), options],
  },
  {
    name: "nbf is ahead by less than a second, leeway included",
    reason: "times count in whole seconds here; jose compares fractions with a clock without any",
    explains: ({ claims }, { now, leeway }) => Math.floor(claims.nbf) === now + leeway,
    instead: (_, keys, options) => [
      keys,
      { ...options, clockTolerance: options.clockTolerance + 1 },
    ],
  },
];

const withKey = ({ keys }, alg, changes) => ({
  keys: keys.map((key) => (key.alg === alg ? { ...key, ...changes } : key)),
});

const is = (pattern) => (_, why) => pattern.test(why);

// Refused here, accepted by jose. `explains` sees the token's JSON texts, and our reason. The first
// row that explains a token counts it.
export const REFUSED_HERE = [
  {
    name: "base64url with padding, blanks or stray bits",
    reason: "RFC 7515, section 2; one token has one spelling, so that it can be revoked and cached",
    explains: is(/ is not base64url without padding$/),
  },
  {
    name: "a byte order mark",
    reason: "RFC 8259, section 8.1: must not be added",
    explains: ({ texts }, why) => notJson(why) && texts.some((text) => text.startsWith("\ufeff")),
  },
  {
    name: "half of a surrogate pair",
    reason: "RFC 8259, section 8.2: unpredictable; it cannot be written as UTF-8",
    explains: ({ texts }, why) =>
      notJson(why) && texts.some((text) => /\\u(d[89ab]|d[c-f])/i.test(text)),
  },
  {
    name: "a number beyond a double",
    reason: "RFC 8259, section 6; JavaScript makes it infinity",
    explains: ({ texts }, why) => notJson(why) && texts.some(overflows),
  },
  {
    name: "nested more than 127 deep",
    reason: "a bounded stack",
    explains: ({ texts }, why) =>
      notJson(why) && texts.some((text) => text.replace(/\s/g, "").includes("[".repeat(127))),
  },
  {
    name: "a name twice",
    reason: "RFC 8725, section 2.4: two readers may each take another one",
    explains: ({ texts }, why) => notJson(why) && texts.some(repeatsName),
  },
  {
    name: "crit and b64",
    reason: "no extension is implemented, and a JWT has no payload that is not encoded",
    explains: is(/^the header parameter (crit|b64) /),
  },
  {
    name: "zip",
    reason: "no parameter of a JWS; a reader that knows JWE could take it for one",
    explains: is(/^the header parameter zip /),
  },
  {
    name: "a key brought along",
    reason: "RFC 8725, section 3.10: keys come from the configuration",
    explains: is(/^the header parameter (jwk|jku|x5c|x5u) /),
  },
  {
    name: "typ that is no string",
    reason: "RFC 7515, section 4.1.9",
    explains: is(/^the header parameter typ /),
  },
  {
    name: "typ of another kind of token",
    reason: "RFC 8725, section 3.11; jose was not told which types to take",
    explains: is(/^typ is not an accepted token type$/),
  },
  {
    name: "iat ahead of the clock",
    reason: "one of both clocks is wrong; jose looks at iat only with maxTokenAge",
    explains: is(/^iat is in the future$/),
  },
  {
    name: "exp past by less than a second, leeway included",
    reason: "times count in whole seconds here",
    explains: is(/^the token has expired$/),
  },
  {
    name: "a time before 1970 or after 9999",
    reason: "no time that an issuer means; it would overflow elsewhere",
    explains: is(/^the claim (exp|nbf|iat) is invalid: (negative|beyond the year 9999)$/),
  },
  {
    name: "sub that is empty or no string",
    reason: "RFC 7519, section 4.1.2; jose only wants it to be there",
    explains: is(/^the claim sub is invalid: /),
  },
  {
    name: "jti that is no string",
    reason: "RFC 7519, section 4.1.7; such a token could not be revoked",
    explains: is(/^the claim jti is invalid: not a string$/),
  },
  {
    name: "aud with items that are no strings",
    reason: "RFC 7519, section 4.1.3; jose looks for its own among them",
    explains: is(/^the claim aud is invalid: not an array of strings$/),
  },
  {
    name: "email, roles or permissions of another type",
    reason: "they become part of the context; jose does not know them",
    explains: is(/^the claim (email|roles|permissions) is invalid: /),
  },
  {
    name: "values that make no context",
    reason: "control characters, empty items, more than fits into metadata",
    explains: is(/^the claims do not form a valid user context$/),
  },
  {
    name: "more than 8 KiB",
    reason: "bounds what one request costs",
    explains: is(/^the token is longer than 8192 bytes$/),
  },
];

const notJson = (why) => why.endsWith(" is not a JSON object without duplicate names");

const withoutStrings = (text) => text.replace(/"(\\.|[^"\\])*"/g, "");

// Whether a number in the text becomes infinity.
const overflows = (text) =>
  withoutStrings(text)
    .match(/\d[\d.eE+-]*/g)
    ?.some((number) => Number(number) === Infinity);

// Whether reading an object loses a member: there are as many as colons outside of strings.
function repeatsName(text) {
  const count = (value) =>
    value === null || typeof value !== "object"
      ? 0
      : Object.values(value).reduce(
          (sum, item) => sum + count(item),
          Array.isArray(value) ? 0 : Object.keys(value).length,
        );
  const colons = withoutStrings(text).split(":").length - 1;
  return colons > count(JSON.parse(text));
}
