// Numbers that look random, and are the same for the same seed everywhere.
import { createHash } from "node:crypto";

// As many bytes as wanted, made of a text.
export function bytesOf(text, length) {
  return createHash("shake256", { outputLength: length }).update(text).digest();
}

export class Random {
  #seed;
  #block = 0;
  #bytes = Buffer.alloc(0);

  constructor(seed) {
    this.#seed = seed;
  }

  bytes(length) {
    while (this.#bytes.length < length) {
      const more = bytesOf(`${this.#seed}/${this.#block++}`, 4096);
      this.#bytes = Buffer.concat([this.#bytes, more]);
    }
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  // From 0 to limit - 1.
  below(limit) {
    return this.bytes(4).readUInt32BE() % limit;
  }

  chance(percent) {
    return this.below(100) < percent;
  }

  pick(items) {
    return items[this.below(items.length)];
  }
}
