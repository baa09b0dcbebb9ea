/**
 * Chance that repeats: the numbers of a process follow from its seed, and nobody without the seed can guess them.
 *
 * Every scope of a process draws from a stream of its own, so a replay that leaves out old iterations of a loop draws the
 * same numbers in the present one. Source: ChaCha20 (RFC 8439) with the seed as its key, the stream's name as nonce.
 */

const rounds = 10;
/** "expand 16-byte k", for keys of 128 bits. */
const constants = [0x61707865, 0x3120646e, 0x79622d36, 0x6b206574];

export class Random {
  readonly #state: Uint32Array;
  #block = new Uint32Array(16);
  #at = 16;

  /** @param seed 32 hex digits */
  constructor(seed: string, stream: string) {
    const key = [0, 8, 16, 24].map((from) => Number.parseInt(seed.slice(from, from + 8), 16) >>> 0);
    this.#state = Uint32Array.from([...constants, ...key, ...key, 0, ...nonceOf(stream)]);
  }

  /** Uniform in [0, 1), 53 bits. */
  next(): number {
    const high = this.#word() >>> 5;
    const low = this.#word() >>> 6;
    return (high * 0x4000000 + low) / 2 ** 53;
  }

  /** Version 4. */
  uuid(): string {
    const hex = this.hex();
    const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
  }

  /** 128 bits. */
  hex(): string {
    return [0, 1, 2, 3].map(() => this.#word().toString(16).padStart(8, "0")).join("");
  }

  #word(): number {
    if (this.#at === 16) {
      this.#block = chacha(this.#state);
      this.#state[12] = (this.#state[12] as number) + 1;
      this.#at = 0;
    }
    return this.#block[this.#at++] as number;
  }
}

function chacha(state: Uint32Array): Uint32Array<ArrayBuffer> {
  const x = Uint32Array.from(state);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 4; i++) quarter(x, i, i + 4, i + 8, i + 12);
    for (let i = 0; i < 4; i++) quarter(x, i, ((i + 1) % 4) + 4, ((i + 2) % 4) + 8, ((i + 3) % 4) + 12);
  }
  return x.map((word, i) => word + (state[i] as number));
}

function quarter(x: Uint32Array, a: number, b: number, c: number, d: number): void {
  mix(x, a, b, d, 16);
  mix(x, c, d, b, 12);
  mix(x, a, b, d, 8);
  mix(x, c, d, b, 7);
}

/** `to` += `by`, then `turned` ^= `to`, rotated. */
function mix(x: Uint32Array, to: number, by: number, turned: number, bits: number): void {
  const sum = ((x[to] as number) + (x[by] as number)) >>> 0;
  x[to] = sum;
  const mixed = (x[turned] as number) ^ sum;
  x[turned] = (mixed << bits) | (mixed >>> (32 - bits));
}

/** 96 bits of FNV-1a with three beginnings: no secret, only different for different streams. */
function nonceOf(stream: string): number[] {
  return [0x811c9dc5, 0x01234567, 0x9e3779b9].map((begin) => hashOf(stream, begin));
}

/** 32 bits in hex that tell one text from another, most likely. No secret. */
export function fingerprint(text: string): string {
  return hashOf(text, 0x811c9dc5).toString(16).padStart(8, "0");
}

function hashOf(text: string, begin: number): number {
  let hash = begin;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
