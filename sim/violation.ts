/**
 * A broken promise, found by a check of the simulator: named, so that a seeded bug can tell which check caught it.
 */
export class Violation extends Error {
  override readonly name = "Violation";
  /** Of the invariant, from the catalogue in docs/simulation.md. */
  readonly invariant: string;

  constructor(invariant: string, details: string) {
    super(`${invariant}: ${details}`);
    this.invariant = invariant;
  }
}

/** Call it only where building `details` is cheap. */
export function check(condition: boolean, invariant: string, details: string): asserts condition {
  if (!condition) throw new Violation(invariant, details);
}
