import { describe, expect, it } from "vitest";
import { listChans, listStates, readChan, readState, type Readable } from "../../cluster/queries.js";
import type { Store } from "../../cluster/types.js";
import type { Command } from "../../src/select/command.js";
import { Engine } from "./engine.js";

function open() {
  const engine = new Engine();
  const asked: number[] = [];
  const store = {
    get: (key: string) => engine.get(key),
    range: (options: { gte: string; lt: string; limit: number }) => {
      asked.push(options.limit);
      return Promise.resolve(engine.range(options));
    },
  } as Store;
  return { engine, store, asked };
}

type Waiting = { readonly op: "default" } | { readonly op: "recv"; readonly chan: string };

const create = (id: string, one: Waiting = { op: "default" }): Command => ({
  ...{ kind: "put", id, digest: id, data: Buffer.from(JSON.stringify(id)) },
  selects: [{ id: "1", cases: [one], choice: "random" }],
});

async function fill(engine: Engine, ids: readonly string[], one?: Waiting) {
  for (const id of ids) await engine.submit(create(id, one));
}

/** All pages, by ID. */
async function pages(
  store: Store,
  query: { prefix?: string; limit: number; chan?: string; status?: "waiting" | "pending" },
) {
  const found: string[][] = [];
  for (let cursor: string | undefined; ;) {
    const page = await listStates(store, { prefix: "", ...query, ...(cursor !== undefined && { cursor }) });
    found.push(page.states.map(({ state }) => state.id));
    cursor = page.cursor;
    if (cursor === undefined) return found;
  }
}

describe("one record", () => {
  it("comes with its data and what waits longest", async () => {
    const { engine, store } = open();
    await engine.submit(create("a", { op: "recv", chan: "c" }));
    const record = readState(store, "a");
    expect([record?.state.id, Buffer.from(record?.data ?? []).toString()]).toEqual(["a", '"a"']);
    expect(readState(store, "b")).toBeUndefined();
    expect(readChan(store, "c")).toMatchObject({ chan: { recvq: { count: 1 } }, oldestWaiterMs: engine.nowMs });
    expect(readChan(store, "d")).toBeUndefined();
  });

  it("of a plain request is nobody's", async () => {
    const { engine, store } = open();
    const cases = [{ op: "recv", chan: "c" }] as const;
    const ref = { node: "n", epoch: 1, seq: 1 };
    await engine.submit({ kind: "select", route: "recv", cases, choice: "random", wait: { ref } });
    const [carrier] = engine.range({ gte: "s\0", lt: "s\u0001", limit: 1 });
    const id = carrier?.[0].slice(2) ?? "";
    expect(id).not.toBe("");
    expect(readState(store, id)).toBeUndefined();
    expect(await pages(store, { limit: 10 })).toEqual([[]]);
    expect(await pages(store, { limit: 10, chan: "c" })).toEqual([[]]);
  });
});

describe("a list", () => {
  it("goes on where the page before ended", async () => {
    const { engine, store } = open();
    await fill(engine, ["e", "b", "d", "a", "c"]);
    expect(await pages(store, { limit: 2 })).toEqual([["a", "b"], ["c", "d"], ["e"]]);
  });

  it("has everything under a prefix and nothing else", async () => {
    const { engine, store } = open();
    const inside = ["ab", "ab\u{1F600}", "ab\u{10ffff}", "ab\u{10ffff}x", "ab\uff41", "abc"];
    await fill(engine, ["a", "aa", "ac", "b", ...inside]);
    expect((await pages(store, { prefix: "ab", limit: 100 })).flat().sort()).toEqual([...inside].sort());
    expect((await pages(store, { prefix: "ab\u{10ffff}", limit: 100 })).flat()).toEqual([
      "ab\u{10ffff}",
      "ab\u{10ffff}x",
    ]);
    expect((await pages(store, { limit: 3 })).flat()).toHaveLength(10);
  });

  it("is not widened by a cursor from before the prefix", async () => {
    const { engine, store } = open();
    await fill(engine, ["a", "b1", "b2"]);
    for (const chan of ["a", "b1"]) await engine.submit({ kind: "make", chan, buffer: 1 });
    const chans = await listChans(store, { prefix: "b", cursor: "", limit: 10 });
    expect(chans.chans.map(({ chan }) => chan.id)).toEqual(["b1"]);
    const { states } = await listStates(store, { prefix: "b", cursor: "a", limit: 10 });
    expect(states.map(({ state }) => state.id)).toEqual(["b1", "b2"]);
  });

  it("filters by status, over bounded scans", async () => {
    const { engine, store } = open();
    const many = Array.from({ length: 12_000 }, (_, n) => `s${n.toString().padStart(6, "0")}`);
    await fill(engine, many);
    await fill(engine, ["t"], { op: "recv", chan: "c" });
    expect(await pages(store, { limit: 5, status: "waiting" })).toEqual([[], ["t"]]);
  });

  it("reads no more than a short page needs", async () => {
    const { engine, store, asked } = open();
    await fill(engine, ["a", "b", "c", "d"]);
    await listStates(store, { prefix: "", limit: 2 });
    expect(asked).toEqual([2]);
  });

  it("by channel has each state that waits there once, in pages", async () => {
    const { engine, store } = open();
    await fill(engine, ["r2", "r1", "r3"], { op: "recv", chan: "c" });
    await fill(engine, ["x"], { op: "recv", chan: "d" });
    const twice: Waiting = { op: "recv", chan: "c" };
    await engine.submit({ ...create("r0"), selects: [{ id: "1", cases: [twice, twice], choice: "order" }] } as Command);
    expect(await pages(store, { limit: 3, chan: "c" })).toEqual([["r0", "r1", "r2"], ["r3"]]);
    expect(await pages(store, { limit: 3, chan: "c", prefix: "r1" })).toEqual([["r1"]]);
    expect(await pages(store, { limit: 3, chan: "none" })).toEqual([[]]);
  });

  it("has each record as it is in the end, whatever was applied while the page was read", async () => {
    const { engine } = open();
    await fill(engine, ["gone", "stays", "wakes"], { op: "recv", chan: "c" });
    await fill(engine, ["other"], { op: "recv", chan: "d" });
    const meanwhile: Command[] = [
      { kind: "delete", id: "gone", force: true },
      { kind: "delete", id: "other", force: true },
      { kind: "delete", id: "wakes", force: true },
      { ...create("wakes"), data: Buffer.from('"again"') } as Command,
    ];
    const slow: Readable = {
      get: (key) => engine.get(key),
      range: async (options) => {
        const page = engine.range(options);
        for (const command of meanwhile) await engine.submit(command);
        return page;
      },
    };
    const { chans } = await listChans(slow, { prefix: "", limit: 10 });
    expect(chans.map(({ chan, oldestWaiterMs }) => [chan.id, chan.recvq.count, oldestWaiterMs])).toEqual([
      ["c", 1, engine.nowMs],
    ]);
    await fill(engine, ["gone", "other"], { op: "recv", chan: "c" });
    const { states } = await listStates(slow, { prefix: "", status: "waiting", limit: 10 });
    expect(states.map(({ state }) => state.id)).toEqual(["stays"]);
    await engine.submit({ kind: "delete", id: "wakes", force: true });
    await fill(engine, ["wakes"]);
    const all = await listStates(slow, { prefix: "", limit: 10 });
    expect(all.states.map(({ state, data }) => [state.id, Buffer.from(data ?? []).toString()])).toEqual([
      ["stays", '"stays"'],
      ["wakes", '"again"'],
    ]);
  });

  it("of channels pages too", async () => {
    const { engine, store } = open();
    for (const chan of ["a", "b", "c"]) await engine.submit({ kind: "make", chan, buffer: 1 });
    const first = await listChans(store, { prefix: "", limit: 2 });
    expect([first.chans.map(({ chan }) => chan.id), first.cursor]).toEqual([["a", "b"], "b"]);
    const second = await listChans(store, { prefix: "", limit: 2, cursor: "b" });
    expect([second.chans.map(({ chan }) => chan.id), second.cursor]).toEqual([["c"], undefined]);
  });
});
