/**
 * Where the `Data` of a state stands: small ones in its own record, which is read and written with them anyway; larger
 * ones in a record beside it, so that a wake-up does not rewrite them.
 */

import type { Draft } from "./draft.js";
import { keys } from "./keys.js";
import type { Raw, State } from "./types.js";
import type { Txn } from "./txn.js";
import type { View } from "./view.js";

/** Bytes of JSON text. With them a state with a handful of selects is still a small record of LevelDB. */
export const dataInStateMax = 512;

/** At most once for a state that is created in this entry. */
export function writeData(txn: Txn, { id, before, now }: Draft, data: Raw | undefined): void {
  const isApart = data !== undefined && data.length > dataInStateMax;
  if (isApart) txn.put(keys.data(id), data);
  else if (before !== undefined && now.data === undefined) txn.del(keys.data(id));
  now.data = isApart ? undefined : (data ?? null);
}

export function dataOf(records: Pick<View, "get">, state: Pick<State, "id" | "data">): Raw | undefined {
  if (state.data === undefined) return records.get(keys.data(state.id)) as Raw | undefined;
  return state.data ?? undefined;
}
