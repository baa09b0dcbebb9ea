/**
 * Lists that are only appended to, and reads of several of them at once: finds what no serial order explains.
 *
 * The longest read of a list gives the order of its appends. From it follow who came before whom: the append before, the
 * append that a read saw last, the append that a read did not see yet; and time, where one had returned before the other
 * began. A cycle among these is an anomaly, whatever kind it has. Source: Elle (Kingsbury, Alvaro 2020), list-append.
 */
import type { Violation } from "./workload.js";

export interface Append {
  readonly op: "append";
  readonly key: string;
  /** Unique. */
  readonly value: string;
  readonly invokedMs: number;
  /** `Infinity` when the outcome is unknown. */
  readonly returnedMs: number;
}

export interface Reading {
  readonly op: "read";
  readonly lists: ReadonlyMap<string, readonly string[]>;
  readonly invokedMs: number;
  readonly returnedMs: number;
}

export type AppendOperation = Append | Reading;

/** @param final what is in the lists at the end; everything acknowledged must be */
export function checkAppends(
  operations: readonly AppendOperation[],
  final: ReadonlyMap<string, readonly string[]>,
): Violation[] {
  const appends = new Map(
    operations.flatMap((one): [string, Append][] => (one.op === "append" ? [[one.value, one]] : [])),
  );
  const reads = operations.filter((one) => one.op === "read");
  const found: Violation[] = [];
  const longest = new Map(final);
  for (const { lists } of reads)
    for (const [key, list] of lists) if (list.length > (longest.get(key)?.length ?? 0)) longest.set(key, list);
  for (const [key, list] of longest) found.push(...checkList(key, list, appends));
  for (const lists of [final, ...reads.map(({ lists }) => lists)])
    for (const [key, list] of lists)
      if (!isPrefix(list, longest.get(key) ?? []))
        found.push({ kind: "reordered", what: `${key} was read as ${list.join()} and as ${longest.get(key)?.join()}` });
  for (const [value, { key, returnedMs }] of appends)
    if (returnedMs !== Infinity && final.get(key)?.includes(value) !== true)
      found.push({ kind: "lost", what: `${value} was appended to ${key} and is gone` });
  if (found.length > 0) return found;
  const cycle = findCycle(edges(operations, appends, longest));
  if (cycle === undefined) return [];
  return [{ kind: "stale", what: `no order explains ${cycle.map((n) => describe(operations[n])).join(" → ")}` }];
}

function checkList(key: string, list: readonly string[], appends: ReadonlyMap<string, Append>): Violation[] {
  const once = new Set<string>();
  return list.flatMap((value): Violation[] => {
    if (once.has(value)) return [{ kind: "duplicated", what: `${value} is twice in ${key}` }];
    once.add(value);
    return appends.get(value)?.key === key
      ? []
      : [{ kind: "phantom", what: `${value} is in ${key}, and nobody put it there` }];
  });
}

function isPrefix(list: readonly string[], of: readonly string[]): boolean {
  return list.length <= of.length && list.every((value, n) => value === of[n]);
}

/** Who must come before whom. Numbers from `operations.length` on are moments in time, which keep the graph linear. */
function edges(
  operations: readonly AppendOperation[],
  appends: ReadonlyMap<string, Append>,
  longest: ReadonlyMap<string, readonly string[]>,
): number[][] {
  const numberOf = new Map(operations.map((one, n) => [one, n]));
  const append = (key: string, at: number) => numberOf.get(appends.get(longest.get(key)?.[at] ?? "") as Append);
  const after: number[][] = operations.map(() => []);
  const add = (from: number | undefined, to: number | undefined) => {
    if (from !== undefined && to !== undefined) after[from]?.push(to);
  };
  for (const [key, list] of longest) for (let at = 1; at < list.length; at++) add(append(key, at - 1), append(key, at));
  operations.forEach((one, n) => {
    if (one.op !== "read") return;
    for (const [key, list] of one.lists) {
      add(append(key, list.length - 1), n);
      add(n, append(key, list.length));
    }
  });
  const byReturn = [...operations.keys()]
    .filter((n) => operations[n]?.returnedMs !== Infinity)
    .sort((a, b) => (operations[a]?.returnedMs ?? 0) - (operations[b]?.returnedMs ?? 0));
  const byInvocation = [...operations.keys()].sort(
    (a, b) => (operations[a]?.invokedMs ?? 0) - (operations[b]?.invokedMs ?? 0),
  );
  let returned = 0;
  for (const n of byInvocation) {
    for (
      ;
      (operations[byReturn[returned] ?? -1]?.returnedMs ?? Infinity) < (operations[n]?.invokedMs ?? 0);
      returned++
    ) {
      const moment = after.push([]) - 1;
      if (returned > 0) add(moment - 1, moment);
      add(byReturn[returned], moment);
    }
    if (returned > 0) add(after.length - 1, n);
  }
  return after;
}

/** The nodes of a cycle, shortest from where it was found; undefined if there is none. */
export function findCycle(after: readonly (readonly number[])[]): number[] | undefined {
  const waiting = after.map(() => 0);
  for (const targets of after) for (const to of targets) waiting[to] = (waiting[to] ?? 0) + 1;
  const free = [...waiting.keys()].filter((n) => waiting[n] === 0);
  for (let n = free.pop(); n !== undefined; n = free.pop())
    for (const to of after[n] ?? []) {
      waiting[to] = (waiting[to] ?? 0) - 1;
      if (waiting[to] === 0) free.push(to);
    }
  for (const [start, count] of waiting.entries()) {
    if (count === 0) continue;
    const way = shortestWay(after, start);
    if (way !== undefined) return way;
  }
  return undefined;
}

function shortestWay(after: readonly (readonly number[])[], start: number): number[] | undefined {
  const from = new Map<number, number>();
  let front = [start];
  while (front.length > 0) {
    const nextFront: number[] = [];
    for (const n of front)
      for (const to of after[n] ?? []) {
        if (to === start) return trail(from, start, n);
        if (from.has(to)) continue;
        from.set(to, n);
        nextFront.push(to);
      }
    front = nextFront;
  }
  return undefined;
}

function trail(from: ReadonlyMap<number, number>, start: number, end: number): number[] {
  const way = [end];
  for (let n = end; n !== start;) way.unshift((n = from.get(n) ?? start));
  return way;
}

function describe(operation: AppendOperation | undefined): string {
  if (operation === undefined) return "time";
  if (operation.op === "append") return `append ${operation.value} to ${operation.key}`;
  return `read ${[...operation.lists].map(([key, list]) => `${key}=${list.at(-1) ?? "nothing"}`).join(" ")}`;
}
