/**
 * The first broken promise of a run. Checks are called from within the code of nodes, which may catch what they throw, so
 * it is kept here as well.
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

  /** What `run` throws is kept, and thrown on. */
  guard<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      this.report(error);
      throw error;
    }
  }
}
