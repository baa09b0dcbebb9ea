/**
 * A read view of records in memory.
 */
import { compareKeys } from "../../cluster/key-order.js";
import { encodeRecord, StateHash } from "../../cluster/store-record.js";
import type { ReadView } from "../../cluster/types.js";

export function readViewOf(
  values: ReadonlyMap<string, unknown>,
  { index, term, pageRecords = 100 }: { index: number; term: number; pageRecords?: number },
): ReadView {
  const hash = new StateHash();
  const pairs = [...values].map(([key, value]): readonly [string, Buffer] => {
    const { bytes, sum } = encodeRecord(key, value);
    hash.add(key, sum);
    return [key, bytes];
  });
  pairs.sort(([a], [b]) => compareKeys(a, b));
  return {
    ...{ index, term, records: hash.records, hash: hash.digits, get: (key) => values.get(key) },
    async *pages(after) {
      const rest = pairs.filter(([key]) => compareKeys(key, after) > 0);
      for (let at = 0; at < rest.length; at += pageRecords) {
        await Promise.resolve();
        yield rest.slice(at, at + pageRecords);
      }
    },
    close: () => Promise.resolve(),
  };
}
