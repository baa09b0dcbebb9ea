/**
 * A mistake that the simulator must find: one piece of production source, replaced by a wrong one.
 *
 * Production code holds no switches for them; mutant.ts makes a copy of the sources with the mistake in it.
 */
export interface Bug {
  readonly name: string;
  /** Source file, from the root of the repository. */
  readonly file: string;
  /** Occurs exactly once in it. */
  readonly find: string;
  readonly replace: string;
  /** What goes wrong. */
  readonly why: string;
}
