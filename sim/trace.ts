/**
 * What happened in a run: a hash over everything, and, when asked for, the last lines in words.
 */
import { mix } from "./random.js";

export class Trace {
  #hash = 1;
  readonly #linesMax: number;
  readonly #lines: string[] = [];

  /** @param linesMax 0 keeps none: writing them costs more than the run itself */
  constructor(linesMax: number) {
    this.#linesMax = linesMax;
  }

  /** Equal for equal runs. */
  get hash(): string {
    return this.#hash.toString(16).padStart(8, "0");
  }

  get lines(): readonly string[] {
    return this.#lines.slice(-this.#linesMax);
  }

  get isKept(): boolean {
    return this.#linesMax > 0;
  }

  note(a: number, b: number, c: number): void {
    this.#hash = mix(mix(mix(this.#hash, a), b), c);
  }

  /** Only for a trace that {@link isKept}. */
  line(atMs: number, text: string): void {
    this.#lines.push(`${atMs.toFixed(1).padStart(10)} ${text}`);
    if (this.#lines.length > 2 * this.#linesMax) this.#lines.splice(0, this.#linesMax);
  }
}
