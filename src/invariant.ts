/**
 * Broken invariants stop the node: they are thrown here and never caught.
 */

/** Thrown only by {@link invariant} and {@link unreachable}; a node that sees one exits. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

export function invariant(condition: unknown, why: string): asserts condition {
  if (!condition) throw new InvariantError(why);
}

/** The end of an exhaustive switch: a new member of the union breaks the build where this is called. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
