/**
 * The only randomness of the engine: a keyed hash of what the log already fixes, so that every replica draws the same.
 *
 * Source: SipHash-2-4 (Aumasson, Bernstein 2012), 64-bit words as pairs of 32-bit halves.
 */

/** One 64-bit word as two unsigned halves. */
export interface Word {
  readonly hi: number;
  readonly lo: number;
}

const two32 = 0x1_0000_0000;

/** v0 … v3, low half first; one state is enough because a hash runs to its end. */
const v = new Int32Array(8);

function add(a: number, b: number): void {
  const lo = ((v[a] ?? 0) >>> 0) + ((v[b] ?? 0) >>> 0);
  v[a + 1] = (v[a + 1] ?? 0) + (v[b + 1] ?? 0) + (lo >= two32 ? 1 : 0);
  v[a] = lo;
}

/** `v[a] = rotl64(v[a], bits) ^ v[b]`, `bits` below 32. */
function rotateXor(a: number, bits: number, b: number): void {
  const lo = v[a] ?? 0;
  const hi = v[a + 1] ?? 0;
  v[a] = ((lo << bits) | (hi >>> (32 - bits))) ^ (v[b] ?? 0);
  v[a + 1] = ((hi << bits) | (lo >>> (32 - bits))) ^ (v[b + 1] ?? 0);
}

/** `v[a] = rotl64(v[a], 32)` */
function swap(a: number): void {
  const lo = v[a] ?? 0;
  v[a] = v[a + 1] ?? 0;
  v[a + 1] = lo;
}

function round(): void {
  add(0, 2);
  rotateXor(2, 13, 0);
  swap(0);
  add(4, 6);
  rotateXor(6, 16, 4);
  add(0, 6);
  rotateXor(6, 21, 0);
  add(4, 2);
  rotateXor(2, 17, 4);
  swap(4);
}

function compress({ hi, lo }: Word): void {
  v[6] = (v[6] ?? 0) ^ lo;
  v[7] = (v[7] ?? 0) ^ hi;
  round();
  round();
  v[0] = (v[0] ?? 0) ^ lo;
  v[1] = (v[1] ?? 0) ^ hi;
}

function wordAt(bytes: Uint8Array, at: number): Word {
  const half = (from: number) =>
    (bytes[from] ?? 0) |
    ((bytes[from + 1] ?? 0) << 8) |
    ((bytes[from + 2] ?? 0) << 16) |
    ((bytes[from + 3] ?? 0) << 24);
  return { lo: half(at), hi: half(at + 4) };
}

/** An integer from 0 to 2^53 − 1 as a word. */
export function wordOf(n: number): Word {
  return { hi: Math.floor(n / two32), lo: n % two32 };
}

/**
 * SipHash-2-4 of the message made of `words`, each eight bytes, little endian.
 *
 * @param key 16 bytes
 */
export function sipHash(key: Uint8Array, words: readonly Word[]): Word {
  const k0 = wordAt(key, 0);
  const k1 = wordAt(key, 8);
  v.set([k0.lo ^ 0x70736575, k0.hi ^ 0x736f6d65, k1.lo ^ 0x6e646f6d, k1.hi ^ 0x646f7261]);
  v.set([k0.lo ^ 0x6e657261, k0.hi ^ 0x6c796765, k1.lo ^ 0x79746573, k1.hi ^ 0x74656462], 4);
  for (const word of words) compress(word);
  compress({ hi: (words.length * 8) << 24, lo: 0 });
  v[4] = (v[4] ?? 0) ^ 0xff;
  for (let i = 0; i < 4; i += 1) round();
  const half = (i: number) => ((v[i] ?? 0) ^ (v[i + 2] ?? 0) ^ (v[i + 4] ?? 0) ^ (v[i + 6] ?? 0)) >>> 0;
  return { hi: half(1), lo: half(0) };
}

/** What a draw is keyed by: two draws of one log differ in at least one of them. */
export interface Draw {
  readonly seed: Uint8Array;
  readonly index: number;
  readonly seq: number;
}

/** @returns an integer from 0 to `count - 1`, uniform over seeds; `count` at least 1 */
export function pick(count: number, { seed, index, seq }: Draw): number {
  const { hi, lo } = sipHash(seed, [wordOf(index), wordOf(seq)]);
  return Math.floor(((hi * 0x20_0000 + (lo >>> 11)) / 2 ** 53) * count);
}

/** A fencing token: `seq` makes it unique, 128 bits of hash make it unguessable without the seed. */
export function tokenOf({ seed, index, seq }: Draw): string {
  const hex = ({ hi, lo }: Word) => hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0");
  const half = (n: number) => hex(sipHash(seed, [wordOf(index), wordOf(seq), wordOf(n)]));
  return `${seq.toString(36)}-${half(1)}${half(2)}`;
}
