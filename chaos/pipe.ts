/**
 * One direction of a connection through a proxy: bytes in, later the same bytes out, or what a bad network makes of them.
 */
import { performance } from "node:perf_hooks";
import type { Socket } from "node:net";
import type { Random } from "./random.js";

/** What happens to the bytes of one direction. */
export interface Impairment {
  /** Nothing gets through, nor the news that an end is gone; what waits goes on when it is over, as TCP would repeat it. */
  readonly hold?: boolean;
  readonly delayMs?: number;
  /** Up to so much more, drawn for each piece; the order stays. */
  readonly jitterMs?: number;
  readonly bytesPerSecond?: number;
  /** Part of the pieces in which one bit is flipped. */
  readonly corrupt?: number;
  /** Part of the pieces of which only a beginning arrives; then the connection ends. */
  readonly truncate?: number;
}

export interface PipeCounts {
  bytes: number;
  corrupted: number;
  truncated: number;
}

/** Held back in this process, beside the buffers of the kernel. */
const waitingBytesMax = 1024 * 1024;

export class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #rule: () => Impairment;
  readonly #random: Random;
  readonly #counts: PipeCounts;
  readonly #waiting: { readonly bytes: Buffer; readonly dueMs: number }[] = [];
  #waitingBytes = 0;
  #lastDueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  /** `from` has said all, or is gone. */
  #over: "end" | "gone" | undefined;
  /** What of that `to` has been told. */
  #passed: "end" | "gone" | undefined;

  constructor(from: Socket, to: Socket, parts: { rule: () => Impairment; random: Random; counts: PipeCounts }) {
    this.#from = from;
    this.#to = to;
    this.#rule = parts.rule;
    this.#random = parts.random;
    this.#counts = parts.counts;
    from.on("data", (bytes: Buffer) => this.push(bytes));
    from.on("end", () => this.#finish("end"));
    from.on("close", () => this.#finish("gone"));
    to.on("drain", () => this.kick());
  }

  /** Bytes that were read before this pipe was laid. */
  push(bytes: Buffer): void {
    const { delayMs = 0, jitterMs = 0, bytesPerSecond = Infinity } = this.#rule();
    const arrivesMs = performance.now() + delayMs + this.#random.next() * jitterMs;
    this.#lastDueMs = Math.max(this.#lastDueMs, arrivesMs) + (bytes.length / bytesPerSecond) * 1000;
    this.#waiting.push({ bytes, dueMs: this.#lastDueMs });
    this.#waitingBytes += bytes.length;
    this.kick();
  }

  /** Rules have changed, or there is something to move. */
  kick(): void {
    clearTimeout(this.#timer);
    const rule = this.#rule();
    while (rule.hold !== true && !this.#to.destroyed && !this.#to.writableNeedDrain) {
      const head = this.#waiting[0];
      if (head === undefined) break;
      const waitMs = head.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.kick(), waitMs);
        break;
      }
      this.#waiting.shift();
      this.#waitingBytes -= head.bytes.length;
      this.#pass(head.bytes, rule);
    }
    if (rule.hold !== true && this.#waiting.length === 0) this.#passEnd();
    if (rule.hold === true || this.#waitingBytes > waitingBytesMax) this.#from.pause();
    else this.#from.resume();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }

  #pass(bytes: Buffer, { corrupt = 0, truncate = 0 }: Impairment): void {
    this.#counts.bytes += bytes.length;
    if (truncate > 0 && this.#random.chance(truncate)) {
      this.#counts.truncated++;
      this.#to.write(bytes.subarray(0, this.#random.below(bytes.length)));
      this.#to.destroySoon();
      this.#from.destroy();
      return;
    }
    if (corrupt > 0 && this.#random.chance(corrupt)) {
      this.#counts.corrupted++;
      const at = this.#random.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#random.below(8));
    }
    this.#to.write(bytes);
  }

  #finish(how: "end" | "gone"): void {
    this.#over = how;
    this.kick();
  }

  /** Once for each kind of end: a socket would note every repetition. */
  #passEnd(): void {
    if (this.#over === this.#passed) return;
    this.#passed = this.#over;
    if (this.#over === "end") this.#to.end();
    if (this.#over === "gone") this.#to.destroySoon();
  }
}
