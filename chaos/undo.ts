/** Takes back what was done. */
export type Undo = () => Promise<void>;

/** All in the order given, whatever happens to one of them. @throws the first error */
export function undoAll(undos: readonly Undo[]): Undo {
  return async () => {
    const errors: unknown[] = [];
    for (const undo of undos) await undo().catch((error: unknown) => errors.push(error));
    if (errors.length > 0) throw errors[0];
  };
}
