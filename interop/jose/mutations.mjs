// Tokens that are almost good, some of them good after all. A token is made in three steps, and a
// mutation changes one of them: the members of header and claims, as JSON texts; the texts of both
// as a whole; the signed token, or how it comes to be signed.
import { createHmac } from "node:crypto";
import { asSecrets } from "./keys.mjs";
import {
  ISSUER,
  NOW,
  base64url,
  cut,
  draft,
  escaped,
  json,
  remove,
  replaceAt,
  set,
  write,
} from "./token.mjs";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const STRANGERS = [...' \t\r\0=+/~%",.{}é\u00a0\u2028\u{1f6d2}'];
const WRONG_TYPES = 'null true 0 1.5 [] {} "" [""] "x" ["x",1] [[]]'.split(" ");
const REGISTERED = ["iss", "sub", "aud", "exp", "nbf", "iat", "email", "roles", "permissions"];
// How far from now the times of claims are: the borders of the leeway, and their neighbours.
const OFFSETS = [0, 1, -1, 29, 30, 31, -29, -30, -31, 60, -60, 300, 1e6, -1e6];

function time(random) {
  const seconds = NOW + random.pick(OFFSETS);
  const fraction = random.pick(["", "", "", ".0", ".5", ".25", ".999999", "e0", "000e-3"]);
  return `${seconds}${fraction}`;
}

// Changes the text of the header, 0, or of the claims, 1.
const text = (token, part, change) =>
  token.texts.push((texts) => (texts[part] = change(texts[part])));
// Changes an encoded part that will be signed as it then is.
const part = (token, index, change) =>
  token.parts.push((parts) => (parts[index] = change(parts[index])));
// Changes the signature's bytes.
const signature = (token, change) => {
  token.sign = (message, random) => change(token.key.sign(message, random), message, random);
};

const ecKey = (token, { keys, random }) =>
  rename(token, random.pick(keys.ours.filter((key) => key.curve)));
const rsaKey = (token, { keys, random }) =>
  rename(token, random.pick(keys.ours.filter((key) => key.modulus)));
// Has the token signed by this key, and the header name it.
function rename(token, key) {
  token.key = key;
  set(token.header, "alg", json(key.algorithm));
  if (key.kid === undefined) remove(token.header, "kid");
  else set(token.header, "kid", json(key.kid));
  return key;
}

const MUTATIONS = {
  "bytes of the token": {
    "another letter": (token, { random }) =>
      token.compact.push((all) => replaceAt(all, random, random.pick(ALPHABET))),
    "a letter more": (token, { random }) =>
      token.compact.push((all) => cut(all, random).join(random.pick(ALPHABET))),
    "a letter less": (token, { random }) => token.compact.push((all) => replaceAt(all, random, "")),
    "something strange": (token, { random }) =>
      token.compact.push((all) => replaceAt(all, random, random.pick(STRANGERS))),
    "something strange at an end": (token, { random }) =>
      token.compact.push((all) =>
        random.chance(50) ? random.pick(STRANGERS) + all : all + random.pick(STRANGERS),
      ),
    "cut off": (token, { random }) => token.compact.push((all) => cut(all, random)[0]),
    "two letters swapped": (token, { random }) =>
      token.compact.push((all) => {
        const [head, tail] = cut(all, random);
        return head + tail.slice(1, 2) + tail.slice(0, 1) + tail.slice(2);
      }),
    "another case": (token, { random }) =>
      token.compact.push((all) => {
        const [head, tail] = cut(all, random);
        const letter = tail.slice(0, 1);
        return (
          head +
          (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()) +
          tail.slice(1)
        );
      }),
    "a piece twice": (token, { random }) =>
      token.compact.push((all) => {
        const [head, tail] = cut(all, random);
        return head + tail.slice(0, 8) + tail;
      }),
    "parts more or less": (token, { random }) =>
      token.compact.push((all) => {
        const parts = all.split(".");
        const others = [
          parts.slice(0, 2),
          parts.slice(1),
          [...parts, parts[2]],
          [...parts, ""],
          ["", ...parts],
          [parts[0], "", "", parts[1], parts[2]],
          [parts[1], parts[0], parts[2]],
          ["", parts[1], parts[2]],
          [parts[0], "", parts[2]],
          [parts[0], parts[2], parts[1]],
        ];
        return random.pick(others).join(".");
      }),
    "another serialization": (token, { random }) =>
      token.compact.push((all) => {
        const [header, payload, signature] = all.split(".");
        return json(
          random.pick([
            { protected: header, payload, signature },
            { payload, signatures: [{ protected: header, signature }] },
          ]),
        );
      }),
  },

  base64url: {
    padding: (token, { random }) => {
      const index = random.below(3);
      const pad = (encoded) =>
        encoded + "=".repeat((4 - (encoded.length % 4)) % 4 || random.below(2));
      if (index < 2) part(token, index, pad);
      else token.compact.push(pad);
    },
    "the standard alphabet": (token, { random }) => {
      const standard = (encoded) => encoded.replaceAll("-", "+").replaceAll("_", "/");
      const index = random.below(3);
      if (index < 2) {
        set(index ? token.claims : token.header, "x", json("~~~???>>>ÿÿÿ"));
        part(token, index, standard);
      } else {
        token.compact.push((all) => all.replace(/[^.]*$/, standard));
      }
    },
    "stray bits": (token, { random }) => {
      const stray = (encoded) => {
        const unused = [0, 0, 4, 2][encoded.length % 4];
        const last = ALPHABET.indexOf(encoded.at(-1));
        return encoded.slice(0, -1) + ALPHABET[last | random.below(1 << unused)];
      };
      const index = random.below(3);
      if (index < 2) part(token, index, stray);
      else token.compact.push((all) => all.replace(/[^.]*$/, stray));
    },
    "blanks inside": (token, { random }) =>
      part(token, random.below(2), (encoded) =>
        cut(encoded, random).join(random.pick([" ", "\t", "\r", "\f"])),
      ),
    "encoded twice": (token, { random }) => part(token, random.below(2), base64url),
    "not encoded": (token, { random }) =>
      text(token, random.below(2), (all) => Buffer.from(all.toString(), "base64url")),
  },

  JSON: {
    blanks: (token, { random }) =>
      text(token, random.below(2), (all) => {
        const blank = random.pick([" ", "\t", "\n", "\r\n", "  "]);
        return blank + all.replace(/([{}\[\]:,])(?=["{}\[\]\d])/g, `$1${blank}`) + blank;
      }),
    "another order": (token, { random }) => random.pick([token.header, token.claims]).reverse(),
    "escapes in a name": (token, { random }) => {
      const member = random.pick(random.pick([token.header, token.claims]));
      const letters = [...member[0]].map((letter) =>
        random.chance(50) ? escaped(letter) : letter,
      );
      member[0] = `"${letters.join("")}"`;
    },
    "escapes in a value": (token, { random }) => {
      const texts = [...token.header, ...token.claims].filter(([, value]) => value[0] === '"');
      const member = random.pick(texts);
      member[1] = member[1].replace(/[a-z/]/gi, (letter) =>
        random.chance(30) ? (letter === "/" ? "\\/" : escaped(letter)) : letter,
      );
    },
    "a name twice": (token, { random }) => {
      const members = random.pick([token.header, token.claims]);
      const [name, value] = random.pick(members);
      const other = random.chance(50) ? value : random.pick(WRONG_TYPES);
      members.splice(random.below(members.length + 1), 0, [name, other]);
    },
    "a name twice, once escaped": (token, { random }) => {
      const members = random.pick([token.header, token.claims]);
      const [name, value] = random.pick(members);
      members.splice(random.below(members.length + 1), 0, [
        `"${escaped(name[0])}${name.slice(1)}"`,
        value,
      ]);
    },
    "a name twice, deep inside": (token) => token.claims.push(["x", '{"a":[{"b":1,"b":1}]}']),
    "names that mean something elsewhere": (token, { random }) => {
      const names = ["__proto__", "constructor", "toString", "", "hasOwnProperty", "ISS", "Exp"];
      const members = random.pick([token.header, token.claims]);
      members.push([random.pick(names), random.pick(WRONG_TYPES)]);
    },
    "another number for the same time": (token, { random }) => {
      const exp = NOW + 1000;
      const forms = [
        `${exp}.0`,
        `${exp}e0`,
        `${exp / 1000}e3`,
        `${exp}000E-3`,
        "1.800001e+9",
        `${exp}.000000000000000000001`,
      ];
      set(token.claims, "exp", random.pick(forms));
    },
    "a number that is none": (token, { random }) => {
      const forms = [
        "NaN",
        "Infinity",
        "1e400",
        "-1e400",
        "01800000000",
        "+1800000300",
        "1800000300.",
        ".5",
        "0x6b49d3ac",
        "1_800_000_300",
        "1e",
        "--1",
      ];
      set(token.claims, random.pick(["exp", "nbf", "iat", "x"]), random.pick(forms));
    },
    "strings that are hard to read": (token, { random }) => {
      const values = [
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\ud83d\\uded2"',
        '"\\u0000"',
        '"\\u2028"',
        '"\ufffe\uffff"',
        '"\u0000"',
        '"\n"',
        '"\t"',
        '"\\x41"',
        '"\\u00"',
        "'x'",
      ];
      const [members, names] = random.pick([
        [token.header, ["x", "cty"]],
        [token.claims, ["x", "email", "azp"]],
      ]);
      set(members, random.pick(names), random.pick(values));
    },
    "not quite JSON": (token, { random }) =>
      text(token, random.below(2), (all) =>
        random.pick([
          `\ufeff${all}`,
          `${all}{}`,
          `${all}x`,
          `${all}\0`,
          `${all},`,
          `[${all}]`,
          json(all),
          all.slice(0, -1),
          all.replace("}", ",}"),
          `/**/${all}`,
          `${all}//`,
          all.replaceAll('"', "'"),
          "null",
          "",
          "{}",
          "1",
          " ",
        ]),
      ),
    "another encoding": (token, { random }) =>
      text(token, random.below(2), (all) =>
        random.pick([
          Buffer.from(all, "utf16le"),
          Buffer.from(`{"x":"\xff",${all.slice(1)}`, "latin1"),
          Buffer.from(`{"x":"\xc0\xaf",${all.slice(1)}`, "latin1"),
          Buffer.from(`{"x":"\xed\xa0\x80",${all.slice(1)}`, "latin1"),
        ]),
      ),
    nested: (token, { random }) => {
      const depth = random.pick([2, 50, 100, 126, 127, 200]);
      random.pick([token.header, token.claims]).push(["x", "[".repeat(depth) + "]".repeat(depth)]);
    },
    "another letter in the text": (token, { random }) =>
      text(token, random.below(2), (all) =>
        replaceAt(all, random, random.pick([...'{}[]:,"\\ 0179.eE+-truefalsn'])),
      ),
    "a letter less in the text": (token, { random }) =>
      text(token, random.below(2), (all) => replaceAt(all, random, "")),
    "a flipped bit in the text": (token, { random }) =>
      text(token, random.below(2), (all) => {
        const bytes = Buffer.from(all);
        bytes[random.below(bytes.length)] ^= 1 << random.below(8);
        return bytes;
      }),
  },

  header: {
    "another algorithm": (token, { random, keys }) => {
      const names = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        " ES256",
        "es256",
        "ES256K",
        "ES257",
        "RS1",
        "HS256",
        "ML-DSA-44",
        "dir",
        "A256GCM",
        "Ed448",
        ...keys.ours.map((key) => key.algorithm),
      ];
      set(token.header, "alg", json(random.pick(names)));
    },
    "the other name of EdDSA": (token, { keys, random }) => {
      rename(token, keys.ours[4]);
      set(token.header, "alg", json("Ed25519"));
      if (random.chance(50)) remove(token.header, "kid");
    },
    "a parameter of another type": (token, { random }) =>
      set(token.header, random.pick(["alg", "kid", "typ", "cty", "x"]), random.pick(WRONG_TYPES)),
    "a parameter less": (token, { random }) =>
      remove(token.header, random.pick(["alg", "kid", "typ"])),
    "another key id": (token, { random, keys }) => {
      const ids = [
        "",
        "unknown",
        "../../dev/null",
        "es256\0",
        "ES256",
        "' or 1=1",
        "k".repeat(300),
        "0",
        ...keys.ours.map((key) => key.kid ?? "es384"),
      ];
      set(token.header, "kid", json(random.pick(ids)));
    },
    "an unknown id for the key without one": (token, { keys, random }) => {
      rename(token, keys.ours[2]);
      set(token.header, "kid", json(random.pick(["es384", "unknown", "", "2026-11"])));
    },
    "another type": (token, { random }) => {
      const types = [
        "jwt",
        "AT+JWT",
        "application/jwt",
        "Application/at+JWT",
        "application/at+jwt/x",
        "txntoken+jwt",
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "JOSE",
        "",
        "at+jwt ",
        "ＪＷＴ",
      ];
      set(token.header, "typ", json(random.pick(types)));
    },
    "an extension": (token, { random }) => {
      const [name, value] = random.pick([
        ["crit", "[]"],
        ["crit", '["exp"]'],
        ["crit", '["b64"]'],
        ["crit", "null"],
        ["crit", '"b64"'],
        ["crit", '["x"]'],
        ["b64", "true"],
        ["b64", "false"],
        ["zip", '"DEF"'],
        ["enc", '"A128GCM"'],
      ]);
      set(token.header, name, value);
      if (value === '["b64"]') set(token.header, "b64", random.pick(["true", "false", "1"]));
      if (value === '["x"]') set(token.header, "x", "1");
    },
    "a key brought along": (token, { random, keys }) => {
      const key = random.pick(keys.theirs);
      const values = {
        jwk: json(key.jwk),
        jku: '"https://127.0.0.1/keys"',
        x5c: '["AA=="]',
        x5u: '"https://127.0.0.1/x"',
        x5t: '"AA"',
      };
      const name = random.pick(Object.keys(values));
      set(token.header, name, values[name]);
      if (random.chance(50)) token.key = key;
    },
    "a parameter that nobody knows": (token, { random }) =>
      set(token.header, random.pick(["x", "url", "nonce", "iss", "exp"]), random.pick(WRONG_TYPES)),
  },

  claims: {
    "a claim less": (token, { random }) => remove(token.claims, random.pick(REGISTERED)),
    "a claim of another type": (token, { random }) =>
      set(token.claims, random.pick(REGISTERED), random.pick(WRONG_TYPES)),
    "a claim that nobody asks for": (token, { random }) =>
      set(
        token.claims,
        random.pick(["jti", "azp", "amr", "https://example.com/x", "scope"]),
        random.pick(WRONG_TYPES),
      ),
    "another issuer": (token, { random }) => {
      const issuers = [
        ISSUER,
        `${ISSUER}/`,
        ISSUER.toUpperCase(),
        ` ${ISSUER}`,
        `${ISSUER}\0`,
        "https://other.example.com",
        "https://id.example.com:443",
        ISSUER.replace("i", "і"),
        [ISSUER],
        "",
      ];
      set(token.claims, "iss", json(random.pick(issuers)));
    },
    "another subject": (token, { random }) => {
      const subjects = [
        "",
        " ",
        "alice\0",
        "alice\r\nx-user-roles: admin",
        "\u007f",
        "\u0085",
        "a,admin",
        "a%2Cadmin",
        "\u202eecila",
        "x".repeat(3000),
        "é".repeat(1500),
        42,
        ["alice"],
      ];
      set(token.claims, "sub", json(random.pick(subjects)));
    },
    "other roles": (token, { random }) => {
      const lists = [
        [],
        ["a,admin"],
        [""],
        ["a", 1],
        "admin",
        ["a", null],
        Array(200).fill("role"),
        { admin: true },
        ["\n"],
      ];
      set(token.claims, random.pick(["roles", "permissions"]), json(random.pick(lists)));
    },
    "very long": (token, { random }) =>
      set(token.claims, "x", json("x".repeat(random.pick([4000, 5800, 6200, 20000])))),
  },

  times: {
    "another expiry": (token, { random }) => set(token.claims, "exp", time(random)),
    "another beginning": (token, { random }) => set(token.claims, "nbf", time(random)),
    "another time of issue": (token, { random }) => set(token.claims, "iat", time(random)),
    "all of them": (token, { random }) => {
      for (const name of ["exp", "nbf", "iat"])
        if (random.chance(70)) set(token.claims, name, time(random));
    },
    "out of bounds": (token, { random }) => {
      const times = [
        "-1",
        "-0",
        "-0.0",
        "-0.5",
        "0",
        "1e18",
        "1e300",
        "253402300799",
        "253402300800",
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "1800000000000",
        '"1800000300"',
        '"2027-01-15T08:00:00Z"',
      ];
      set(token.claims, random.pick(["exp", "nbf", "iat"]), random.pick(times));
    },
  },

  audiences: {
    "another audience": (token, { random }) => {
      const audiences = [
        "shop",
        "Shop",
        "shop ",
        "shop\0",
        "shopkeeper",
        "sho",
        "",
        "*",
        "shop-admin",
        "shop,shop-admin",
        "shop shop-admin",
        "ѕhop",
      ];
      set(token.claims, "aud", json(random.pick(audiences)));
    },
    several: (token, { random }) => {
      const audiences = [
        "shop",
        "shop",
        "shop-admin",
        "other",
        "",
        "shop ",
        "https://shop.example.com",
      ];
      set(
        token.claims,
        "aud",
        json(Array.from({ length: random.below(5) }, () => random.pick(audiences))),
      );
    },
    "some of another type": (token, { random }) => {
      const items = ["shop", "shop", 1, null, ["shop"], { shop: "shop" }, true];
      set(
        token.claims,
        "aud",
        json(Array.from({ length: random.below(5) }, () => random.pick(items))),
      );
    },
    "not even an array": (token, { random }) =>
      set(
        token.claims,
        "aud",
        random.pick([
          '{"shop":true}',
          '{"0":"shop","length":1}',
          "null",
          "0",
          "true",
          '[["shop"]]',
        ]),
      ),
  },

  "keys and algorithms": {
    "no algorithm": (token, { random }) => {
      set(token.header, "alg", json(random.pick(["none", "None", "NONE", ""])));
      if (random.chance(80)) signature(token, () => Buffer.alloc(0));
    },
    "a public key as a secret": (token, { random }) => {
      const secret = random.pick(asSecrets(token.key));
      const bits = random.pick([256, 384, 512]);
      if (random.chance(80)) set(token.header, "alg", json(`HS${bits}`));
      signature(token, (_, message) => createHmac(`sha${bits}`, secret).update(message).digest());
    },
    "a key of somebody else": (token, { keys }) => {
      token.key = keys.theirs[keys.ours.indexOf(token.key)] ?? token.key;
    },
    "another key of the issuer": (token, { keys, random }) => {
      token.key = random.pick(keys.ours);
    },
    "another key, by its algorithm": (token, { keys, random }) => {
      token.key = random.pick(keys.ours);
      set(token.header, "alg", json(token.key.algorithm));
    },
    "another key, and no id": (token, { keys, random }) => {
      rename(token, random.pick(keys.ours));
      remove(token.header, "kid");
    },
    "another hash or padding": (token, context) => {
      const { random } = context;
      const key = random.chance(30) ? ecKey(token, context) : rsaKey(token, context);
      const algorithms = key.modulus
        ? ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
        : ["ES256", "ES384", "ES512"];
      const algorithm = random.pick(algorithms);
      if (random.chance(50)) set(token.header, "alg", json(algorithm));
      token.sign = (message) => key.sign(message, random, algorithm);
    },
  },

  signatures: {
    "cut off": (token, { random }) =>
      signature(token, (bytes) => bytes.subarray(0, random.below(bytes.length))),
    longer: (token, { random }) =>
      signature(token, (bytes) => Buffer.concat([bytes, random.bytes(1 + random.below(64))])),
    "a byte in front": (token) =>
      signature(token, (bytes) => Buffer.concat([Buffer.alloc(1), bytes])),
    "a flipped bit": (token, { random }) =>
      signature(token, (bytes) => {
        const copy = Buffer.from(bytes);
        copy[random.below(copy.length)] ^= 1 << random.below(8);
        return copy;
      }),
    "zeros or ones": (token, { random }) =>
      signature(token, (bytes) => Buffer.alloc(bytes.length, random.pick([0, 0xff]))),
    "of something else": (token, { random }) =>
      signature(token, () => token.key.sign(`${random.below(1e9)}`, random)),
    "its halves swapped": (token, context) => {
      ecKey(token, context);
      signature(token, (bytes) =>
        Buffer.concat([bytes.subarray(bytes.length / 2), bytes.subarray(0, bytes.length / 2)]),
      );
    },
    "in DER": (token, context) => {
      const key = ecKey(token, context);
      token.sign = (message, random) => key.der(key.numbers(message, random));
    },
    "the other s": (token, context) => {
      const key = ecKey(token, context);
      token.sign = (message, random) => {
        const [r, s] = key.numbers(message, random);
        return key.join([r, key.curve.order - s]);
      };
    },
    "r and s beyond their bounds": (token, context) => {
      const key = ecKey(token, context);
      const { order, size } = key.curve;
      token.sign = (message, random) => {
        const [r, s] = key.numbers(message, random);
        const other = random.pick([
          [0n, s],
          [r, 0n],
          [0n, 0n],
          [order, s],
          [r, order],
          [order, order],
          [r, s + order],
          [r + order, s],
          [1n, 1n],
        ]);
        // What goes over the top, for one that would not notice.
        return key.join(other.map((number) => number % (1n << BigInt(size * 8))));
      };
    },
    "r and s at another length": (token, context) => {
      const key = ecKey(token, context);
      const { size } = key.curve;
      const length = context.random.pick([size + 1, size + 2, 66]);
      token.sign = (message, random) => key.join(key.numbers(message, random), length);
    },
    "the same number in another way": (token, context) => {
      const { keys, random } = context;
      const key = random.chance(50) ? rename(token, keys.ours[4]) : rsaKey(token, context);
      token.sign = (message) => key.malleated(message, random);
    },
    "a salt of another length": (token, { keys, random }) => {
      const key = rename(token, keys.ours[6]);
      const length = random.pick([0, 1, 20, 31, 32, 33, 64]);
      token.sign = (message) => key.pss(message, random, "PS256", length);
    },
  },
};

// A mutated token: its text, and what was done to it.
export function mutant(keys, random) {
  const token = draft(keys, random);
  const names = [];
  for (let left = random.pick([1, 1, 1, 1, 1, 2, 2, 3]); left > 0; left--) {
    const level = random.pick(Object.keys(MUTATIONS));
    const name = random.pick(Object.keys(MUTATIONS[level]));
    MUTATIONS[level][name](token, { keys, random });
    names.push(`${level}: ${name}`);
  }
  return { token: write(token, random), names };
}

export const ALL = Object.entries(MUTATIONS).flatMap(([level, mutations]) =>
  Object.keys(mutations).map((name) => `${level}: ${name}`),
);
