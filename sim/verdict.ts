/**
 * The first broken promise of a run. Checks are called from within the code of nodes, which is not to see what they throw.
 */
import { Violation } from "./violation.js";

export class Verdict {
  #violation: Violation | undefined;

  get violation(): Violation | undefined {
    return this.#violation;
  }

  report(error: unknown): void {
    this.#violation ??=
      error instanceof Violation
        ? error
        : new Violation("no node gives up", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  /** What `run` throws is kept, and goes nowhere else: the run ends with the event under way. */
  guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.report(error);
    }
  }
}
