// Keys that follow from a seed, and signatures made by hand where Node would draw lots: ECDSA's
// nonce and the salt of PSS. So a seed stands for the same tokens, bit by bit.
import * as crypto from "node:crypto";
import { bytesOf } from "./random.mjs";

const CURVES = {
  "P-256": {
    name: "prime256v1",
    size: 32,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  "P-384": {
    name: "secp384r1",
    size: 48,
    order:
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
  "P-521": {
    name: "secp521r1",
    size: 66,
    order:
      0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  },
};

// The order of the base point of edwards25519.
const ED25519_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

const toInt = (bytes) => BigInt(`0x${bytes.toString("hex") || "0"}`);
const toBytes = (number, size) => Buffer.from(number.toString(16).padStart(size * 2, "0"), "hex");
const encode = (bytes) => bytes.toString("base64url");
const hashOf = (algorithm) => `sha${algorithm.slice(-3)}`;

// The inverse by Euclid's algorithm.
function inverse(number, modulus) {
  let [a, b] = [number % modulus, modulus];
  let [x, y] = [1n, 0n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b] = [b, a - quotient * b];
    [x, y] = [y, x - quotient * y];
  }
  return ((x % modulus) + modulus) % modulus;
}

class EcKey {
  constructor(crv, algorithm, kid, seed) {
    this.curve = CURVES[crv];
    this.algorithm = algorithm;
    this.kid = kid;
    this.secret = (toInt(bytesOf(seed, this.curve.size + 8)) % (this.curve.order - 1n)) + 1n;
    const point = this.#times(this.secret);
    const { size } = this.curve;
    const [x, y] = [point.subarray(1, size + 1), point.subarray(size + 1)].map(encode);
    this.jwk = { kty: "EC", crv, x, y, alg: algorithm, kid };
  }

  // The base point, multiplied: what a key exchange knows as the public key.
  #times(scalar) {
    const exchange = crypto.createECDH(this.curve.name);
    exchange.setPrivateKey(toBytes(scalar, this.curve.size));
    return exchange.getPublicKey();
  }

  sign(message, random, algorithm = this.algorithm) {
    return this.join(this.numbers(message, random, algorithm));
  }

  // The signature's two numbers: FIPS 186-5, section 6.4.1.
  numbers(message, random, algorithm = this.algorithm) {
    const { order, size } = this.curve;
    const nonce = (toInt(random.bytes(size + 8)) % (order - 1n)) + 1n;
    const r = toInt(this.#times(nonce).subarray(1, size + 1)) % order;
    const digest = crypto.createHash(hashOf(algorithm)).update(message).digest();
    const hash = toInt(digest.subarray(0, size));
    return [r, (inverse(nonce, order) * (hash + r * this.secret)) % order];
  }

  join([r, s], size = this.curve.size) {
    return Buffer.concat([toBytes(r, size), toBytes(s, size)]);
  }

  // As X.509 has it, where JWS wants both numbers side by side.
  der(numbers) {
    const integers = numbers.map((number) => {
      const hex = number.toString(16);
      const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, "hex");
      const signed = bytes[0] < 0x80 ? bytes : Buffer.concat([Buffer.alloc(1), bytes]);
      return Buffer.concat([Buffer.from([2, signed.length]), signed]);
    });
    const content = Buffer.concat(integers);
    const length = content.length < 0x80 ? [content.length] : [0x81, content.length];
    return Buffer.concat([Buffer.from([0x30, ...length]), content]);
  }
}

class EdKey {
  algorithm = "EdDSA";

  constructor(kid, seed) {
    this.kid = kid;
    const prefix = Buffer.from("302e020100300506032b657004220420", "hex");
    const der = Buffer.concat([prefix, bytesOf(seed, 32)]);
    this.secret = crypto.createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const { x } = crypto.createPublicKey(this.secret).export({ format: "jwk" });
    this.jwk = { kty: "OKP", crv: "Ed25519", x, alg: this.algorithm, kid };
  }

  sign(message) {
    return crypto.sign(null, Buffer.from(message), this.secret);
  }

  // The same signature, with another S that is the same modulo the order.
  malleated(message) {
    const signature = this.sign(message);
    const s = toInt(Buffer.from(signature.subarray(32)).reverse()) + ED25519_ORDER;
    return Buffer.concat([signature.subarray(0, 32), toBytes(s, 32).reverse()]);
  }
}

class RsaKey {
  constructor(algorithm, kid, seed) {
    this.algorithm = algorithm;
    this.kid = kid;
    const e = 65537n;
    const [p, q] = ["p", "q"].map((name) => prime(`${seed}/${name}`, e));
    const d = inverse(e, (p - 1n) * (q - 1n));
    const numbers = { n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
    const members = Object.entries(numbers).map(([name, number]) => {
      const hex = number.toString(16);
      return [name, encode(Buffer.from(hex.length % 2 ? `0${hex}` : hex, "hex"))];
    });
    const key = { kty: "RSA", ...Object.fromEntries(members) };
    this.secret = crypto.createPrivateKey({ key, format: "jwk" });
    this.modulus = numbers.n;
    this.jwk = { kty: "RSA", n: key.n, e: key.e, alg: algorithm, kid };
  }

  sign(message, random, algorithm = this.algorithm) {
    if (algorithm.startsWith("PS")) return this.pss(message, random, algorithm);
    return crypto.sign(hashOf(algorithm), Buffer.from(message), this.secret);
  }

  // EMSA-PSS: RFC 8017, section 9.1.1. JWS wants a salt as long as the hash.
  pss(message, random, algorithm, saltLength = Number(algorithm.slice(-3)) / 8) {
    const hash = (...parts) => {
      const hasher = crypto.createHash(hashOf(algorithm));
      return parts.reduce((all, part) => all.update(part), hasher).digest();
    };
    const salt = random.bytes(saltLength);
    const digest = hash(Buffer.alloc(8), hash(message), salt);
    const length = 256 - digest.length - 1;
    const data = Buffer.alloc(length);
    data[length - saltLength - 1] = 1;
    salt.copy(data, length - saltLength);
    for (let at = 0, counter = 0; at < length; counter++) {
      for (const byte of hash(digest, toBytes(BigInt(counter), 4))) {
        if (at < length) data[at++] ^= byte;
      }
    }
    data[0] &= 0x7f;
    const encoded = Buffer.concat([data, digest, Buffer.from([0xbc])]);
    const padding = crypto.constants.RSA_NO_PADDING;
    return crypto.privateEncrypt({ key: this.secret, padding }, encoded);
  }

  // The same signature, with the modulus added to it, where there is room.
  malleated(message, random) {
    const number = toInt(this.sign(message, random)) + this.modulus;
    return toBytes(number, number >> 2048n ? 257 : 256);
  }
}

// The first prime of 1024 bits at or after a number that looks random.
function prime(seed, exponent) {
  const bytes = bytesOf(seed, 128);
  bytes[0] |= 0xc0;
  bytes[127] |= 1;
  for (let candidate = toInt(bytes); ; candidate += 2n) {
    if ((candidate - 1n) % exponent !== 0n && crypto.checkPrimeSync(candidate)) return candidate;
  }
}

// The issuer's keys, and those of somebody else that are called the same.
export function makeKeys(seed) {
  const make = (owner) => {
    const own = (kid) => `${seed}/${owner}/${kid}`;
    return [
      new EcKey("P-256", "ES256", "es256", own("es256")),
      new EcKey("P-256", "ES256", "es256-next", own("es256-next")),
      new EcKey("P-384", "ES384", undefined, own("es384")),
      new EcKey("P-521", "ES512", "es512", own("es512")),
      new EdKey("eddsa", own("eddsa")),
      new RsaKey("RS256", "rs256", own("rs256")),
      new RsaKey("PS256", "ps256", own("ps256")),
    ];
  };
  return { ours: make("issuer"), theirs: make("mallory") };
}

// The key as text, in every form that a careless verifier may take for a secret.
export function asSecrets(key) {
  const object = crypto.createPublicKey({ key: key.jwk, format: "jwk" });
  const pem = object.export({ format: "pem", type: "spki" });
  const der = object.export({ format: "der", type: "spki" });
  return [pem, pem.trimEnd(), der, JSON.stringify(key.jwk), Buffer.alloc(0)];
}
