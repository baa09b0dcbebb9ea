import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Feed } from "../../cluster/feed.js";
import type { SlctError } from "../../src/errors.js";
import type { State } from "../../src/select/types.js";
import { settled } from "./engine.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const never = new AbortController().signal;
const state = (id: string, version: number) => ({ id, version, status: "pending" }) as State;

function open(eventsMax = 100, floor = 0, waitsMax?: number) {
  const feed = new Feed(eventsMax, floor, waitsMax);
  const put = (index: number, ...ids: string[]) => {
    for (const id of ids) feed.onEffect({ kind: "chan", type: "chan.made", id }, index, 1000 + index);
    feed.onProgress();
  };
  const events = (query: { after?: number; prefix?: string; waitMs?: number; limit?: number; signal?: AbortSignal }) =>
    feed.events({ prefix: "", waitMs: 0, limit: 100, signal: never, ...query }).then(
      (found) => found.map(({ index, id }) => `${index} ${id}`),
      (error: unknown) => [(error as SlctError).code],
    );
  return { feed, put, events };
}

describe("events", () => {
  it("come in order from after an index, filtered and limited", async () => {
    const { put, events } = open();
    put(1, "a", "b");
    put(2, "ab");
    put(4, "b");
    expect(await events({})).toEqual(["1 a", "1 b", "2 ab", "4 b"]);
    expect(await events({ after: 1 })).toEqual(["2 ab", "4 b"]);
    expect(await events({ prefix: "a" })).toEqual(["1 a", "2 ab"]);
    expect(await events({ after: 9 })).toEqual([]);
  });

  it("of one entry stay together beyond the limit", async () => {
    const { put, events } = open();
    put(1, "a", "b", "c");
    put(2, "d");
    expect(await events({ limit: 1 })).toEqual(["1 a", "1 b", "1 c"]);
    expect(await events({ limit: 4 })).toEqual(["1 a", "1 b", "1 c", "2 d"]);
  });

  it("older than the window, or than the start, are compacted", async () => {
    const { put, events } = open(3, 10);
    expect(await events({ after: 9 })).toEqual(["compacted"]);
    put(11, "a", "b");
    put(12, "c");
    expect(await events({ after: 10 })).toEqual(["11 a", "11 b", "12 c"]);
    put(13, "d");
    expect(await events({ after: 10 })).toEqual(["compacted"]);
    expect(await events({ after: 11 })).toEqual(["12 c", "13 d"]);
    expect(await events({})).toEqual(["12 c", "13 d"]);
  });

  it("tell what a state became", async () => {
    const { feed } = open();
    feed.onEffect({ kind: "state", type: "state.resolved", id: "s", state: state("s", 2) }, 1, 1001);
    feed.onEffect({ kind: "state", type: "state.deleted", id: "s" }, 2, 1002);
    expect(await feed.events({ after: 0, prefix: "", waitMs: 0, limit: 9, signal: never })).toEqual([
      { index: 1, atMs: 1001, type: "state.resolved", id: "s", status: "pending", version: 2 },
      { index: 2, atMs: 1002, type: "state.deleted", id: "s" },
    ]);
  });
});

describe("a long poll", () => {
  it("ends with the whole entry that matches", async () => {
    const { put, events } = open();
    const found = events({ prefix: "a", waitMs: 1000 });
    put(1, "b");
    put(2, "a", "ab");
    expect(await found).toEqual(["2 a", "2 ab"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not see what is not after its index", async () => {
    const { put, events } = open();
    const found = events({ after: 2, waitMs: 1000 });
    put(1, "a");
    put(2, "b");
    put(3, "c");
    expect(await found).toEqual(["3 c"]);
  });

  it("outlives a window that passes it, as long as it has seen everything", async () => {
    const { put, events } = open(3);
    const found = events({ prefix: "x", waitMs: 1000 });
    for (let index = 1; index < 50; index++) put(index, "a");
    put(50, "x");
    expect(await found).toEqual(["50 x"]);
  });

  it("is compacted when one batch is larger than the window", async () => {
    const { put, events } = open(3);
    const found = events({ prefix: "x", waitMs: 1000 });
    put(1, "x", "a", "a", "a");
    expect(await found).toEqual(["compacted"]);
  });

  it("is refused by a node that ends, so that a stream does not ask again and again", async () => {
    const { feed, put, events } = open();
    put(1, "a");
    feed.close();
    expect(await events({ after: 0, waitMs: 1000 })).toEqual(["1 a"]);
    expect(await events({ after: 1 })).toEqual([]);
    expect(await events({ after: 1, waitMs: 1000 })).toEqual(["no_leader"]);
  });

  it.each(["time", "abort", "close"] as const)("ends on %s and leaves nothing behind", async (how) => {
    const { feed, put, events } = open();
    const gone = new AbortController();
    const found = events({ waitMs: 1000, signal: gone.signal });
    await settled();
    if (how === "time") await vi.advanceTimersByTimeAsync(1000);
    if (how === "abort") gone.abort();
    if (how === "close") feed.close();
    expect(await found).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    put(1, "a");
  });
});

describe("a watch", () => {
  it("ends at once if what it waits for is so, or when it becomes so", async () => {
    const { feed } = open();
    const isDone = (one: State | undefined) => (one?.version ?? 0) >= 3;
    const options = { waitMs: 1000, signal: never };
    await feed.watch("s", state("s", 3), isDone, options);
    const watched = feed.watch("s", state("s", 1), isDone, options);
    feed.onEffect({ kind: "state", type: "state.changed", id: "s", state: state("s", 2) }, 1, 1);
    feed.onEffect({ kind: "state", type: "state.changed", id: "t", state: state("t", 3) }, 2, 2);
    await settled();
    expect(vi.getTimerCount()).toBe(1);
    feed.onEffect({ kind: "state", type: "state.changed", id: "s", state: state("s", 3) }, 3, 3);
    await watched;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("counts against the limit together with long polls", async () => {
    const { feed, events } = open(100, 0, 2);
    const options = { waitMs: 1000, signal: never };
    const watched = feed.watch("s", undefined, () => false, options);
    const polled = events({ waitMs: 1000 });
    await settled();
    await expect(feed.watch("s", undefined, () => false, options)).rejects.toMatchObject({ code: "overloaded" });
    expect(await events({ waitMs: 1000 })).toEqual(["overloaded"]);
    feed.close();
    await Promise.all([watched, polled]);
    await feed.watch("s", undefined, () => false, options);
  });
});
