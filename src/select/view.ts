/**
 * Synchronous access to the records of the state machine, by key.
 *
 * The engine does point reads only (LevelDB has no synchronous iterator). Records are immutable: `get` may return the
 * same object to many callers, and `put` takes ownership of what it is given. Key layout: keys.ts.
 */
export interface View {
  get(key: string): unknown;
  /** @param isNew there is no record under this key, and has never been one: nobody has to look */
  put(key: string, value: unknown, isNew?: boolean): void;
  del(key: string): void;
}
