/** A node that ended by itself, and whether it may. */
export interface OwnEnd {
  readonly id: string;
  readonly how: string;
  /** The last line of its log. */
  readonly said: string;
}

/** It was removed, a failpoint did it, or its storage failed: for nothing else does a node end. */
export function isFair({ how, said }: OwnEnd): boolean {
  if (how === "exit code 0" || how === "signal SIGKILL") return true;
  return /failpoint [a-z]+\.|"type":"StorageError"/.test(said);
}

/** It read records that are damaged: when it is started again, it has them from the others. */
export function foundDamage({ said }: OwnEnd): boolean {
  return /"type":"StorageError","message":"the store is damaged/.test(said);
}
