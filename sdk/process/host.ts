/**
 * What the `p` of a scope is made over.
 */
import type { Operations } from "./operations.js";
import type { Program } from "./program.js";

export interface Host {
  /** Of the state. */
  readonly id: string;
  readonly process: { readonly name: string; readonly version: string };
  readonly seed: string;
  readonly startedAt: number;
  readonly operations: Operations;
  readonly program: Program;
  /** @throws SlctError when this is not the moment to ask */
  readonly ask: (label: string) => void;
  readonly now: () => number;
  readonly attempt: () => number;
}
