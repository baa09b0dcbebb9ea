/**
 * Local reads of records: one state or channel, and pages of them. Freshness is settled before (reads.ts).
 */
import { waitersIn } from "../src/select/chan.js";
import { dataOf } from "../src/select/data.js";
import { keys } from "../src/select/keys.js";
import type { Chan, Raw, State, Status } from "../src/select/types.js";
import { compareKeys } from "./key-order.js";
import type { Store } from "./types.js";

export interface StateRecord {
  readonly state: State;
  readonly data?: Raw;
}

export interface ChanRecord {
  readonly chan: Chan;
  readonly oldestWaiterMs?: number;
}

/** A record as of `index`. */
export interface Reading<T> {
  readonly index: number;
  /** Absent: there is none. */
  readonly record?: T;
}

/** What a watch waits for: this status, if given, and a higher version, if given; or that the state is gone. */
export interface Until {
  readonly status?: Status;
  readonly after?: number;
}

/** What a query needs of the store. */
export type Readable = Pick<Store, "get" | "range">;

/** Records looked at for one page, so that a rare status cannot make a request read everything. */
const scanMax = 10_000;
const pageMax = 1000;
const lastPoint = "\u{10ffff}";
const sides = ["send", "recv"] as const;
/** Waiters followed to find the states that wait on a channel. */
const walkMax = 10_000;

export function readState(store: Readable, id: string): StateRecord | undefined {
  const state = store.get(keys.state(id)) as State | undefined;
  return state === undefined || state.anonymous !== undefined ? undefined : withData(store, state);
}

export function readChan(store: Readable, id: string): ChanRecord | undefined {
  const chan = store.get(keys.chan(id)) as Chan | undefined;
  return chan && withOldest(store, chan);
}

export function readingOf<T>(index: number, record: T | undefined): Reading<T> {
  return record === undefined ? { index } : { index, record };
}

/** Whether a watch is over. */
export function isReached({ status, after }: Until, state: State | undefined): boolean {
  if (state === undefined) return true;
  return (status === undefined || state.status === status) && (after === undefined || state.version > after);
}

export async function listStates(
  store: Readable,
  query: { prefix: string; status?: Status; chan?: string; cursor?: string; limit: number },
): Promise<{ states: StateRecord[]; cursor?: string }> {
  const wanted = ({ id, status, anonymous }: State) =>
    anonymous === undefined && id.startsWith(query.prefix) && (query.status === undefined || status === query.status);
  if (query.chan !== undefined) {
    const found = statesOn(store, query.chan).filter(
      (state) => wanted(state) && (query.cursor === undefined || compareKeys(state.id, query.cursor) > 0),
    );
    const page = found.slice(0, query.limit).map((state) => withData(store, state));
    return found.length > page.length ? { states: page, cursor: page.at(-1)?.state.id ?? "" } : { states: page };
  }
  const states: StateRecord[] = [];
  const cursor = await scan(store, keys.state(""), query, (value) => {
    const state = value as State;
    const record = wanted(state) ? readState(store, state.id) : undefined;
    if (record && wanted(record.state)) states.push(record);
    return { id: state.id, full: states.length >= query.limit };
  });
  return cursor === undefined ? { states } : { states, cursor };
}

export async function listChans(
  store: Readable,
  query: { prefix: string; cursor?: string; limit: number },
): Promise<{ chans: ChanRecord[]; cursor?: string }> {
  const chans: ChanRecord[] = [];
  const cursor = await scan(store, keys.chan(""), query, (value) => {
    const { id } = value as Chan;
    const record = readChan(store, id);
    if (record) chans.push(record);
    return { id, full: chans.length >= query.limit };
  });
  return cursor === undefined ? { chans } : { chans, cursor };
}

/**
 * Visits records under a prefix in key order, as they were when reading a page of them began: what is shown is read anew,
 * so that it fits its data and its waiters. Returns the cursor if it stopped before the end.
 */
async function scan(
  store: Readable,
  root: string,
  query: { prefix: string; cursor?: string; limit: number },
  visit: (value: unknown) => { id: string; full: boolean },
): Promise<string | undefined> {
  let gte = root + query.prefix;
  // A cursor from before the prefix is nobody's: it does not widen the range.
  const after = query.cursor === undefined ? gte : `${root}${query.cursor}\0`;
  if (compareKeys(after, gte) > 0) gte = after;
  const lt = successor(root + query.prefix);
  // Most often the first page is enough; behind a filter that hits rarely they grow.
  let limit = Math.min(pageMax, query.limit);
  for (let scanned = 0; ;) {
    const page = await store.range({ gte, lt, limit });
    for (const [key, value] of page) {
      const { id, full } = visit(value);
      gte = `${key}\0`;
      if (full || ++scanned >= scanMax) return id;
    }
    if (page.length < limit) return undefined;
    limit = Math.min(pageMax, limit * 4);
  }
}

/** The least string behind all that start with `prefix`, in the order of code points. */
function successor(prefix: string): string {
  const points = [...prefix];
  while (points.at(-1) === lastPoint) points.pop();
  const last = points.pop()?.codePointAt(0) ?? 0;
  // There are no code points between these two.
  return points.join("") + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
}

function statesOn(store: Readable, id: string): State[] {
  const chan = store.get(keys.chan(id)) as Chan | undefined;
  if (chan === undefined) return [];
  const found = new Map<string, State>();
  for (const side of sides) {
    let walked = 0;
    for (const waiter of waitersIn(chan, side, (key) => store.get(key))) {
      const state = store.get(keys.state(waiter.state)) as State;
      found.set(state.id, state);
      if (++walked >= walkMax) break;
    }
  }
  return [...found.values()].sort((a, b) => compareKeys(a.id, b.id));
}

function withData(store: Readable, state: State): StateRecord {
  const data = dataOf(store, state);
  return data === undefined ? { state } : { state, data };
}

function withOldest(store: Readable, chan: Chan): ChanRecord {
  const heads = sides.flatMap((side) => {
    const [first] = waitersIn(chan, side, (key) => store.get(key));
    return first === undefined ? [] : [first.sinceMs];
  });
  return heads.length === 0 ? { chan } : { chan, oldestWaiterMs: Math.min(...heads) };
}
