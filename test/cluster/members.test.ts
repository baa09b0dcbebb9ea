import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Member } from "../../cluster/node.js";
import type { SlctError } from "../../src/errors.js";
import type { Command } from "../../src/select/command.js";
import type { Outcome } from "../../src/select/outcome.js";
import type { Raw, Ref } from "../../src/select/types.js";
import { openMember } from "./local-member.js";
import { Network } from "./network.js";

const ids = ["n1", "n2", "n3"];
const never = new AbortController().signal;

let root = "";
let network = new Network();
let nodes: Member[] = [];
const fatal: unknown[] = [];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "slct-members-"));
  network = new Network();
  nodes = await Promise.all(ids.map(open));
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  rmSync(root, { recursive: true });
  expect(fatal.splice(0)).toEqual([]);
});

function open(id: string): Promise<Member> {
  return openMember(id, { root, network, ids, onFatal: (error) => fatal.push(error) });
}

const nodeAt = (n: number): Member => nodes[n % nodes.length] as Member;
const text = (value: string): Raw => Buffer.from(JSON.stringify(value));

const create = (id: string, chan: string): Command => ({
  ...{ kind: "put", id, digest: id, data: text(id) },
  selects: [{ id: "1", cases: [{ op: "recv", chan }], choice: "random" }],
});
const send = (chan: string, value: string): Command => ({
  ...{ kind: "select", route: "send", choice: "random" },
  cases: [{ op: "send", chan, data: text(value) }],
});
const receive = (chan: string, ref?: Ref): Extract<Command, { kind: "select" }> => ({
  ...{ kind: "select", route: "recv", choice: "random", cases: [{ op: "recv", chan }] },
  ...(ref && { wait: { ref } }),
});
const poll = (ref: Ref) =>
  ({ kind: "demand", for: "poll", prefix: "", max: 10, leaseMs: 60_000, park: true, ref }) as const;

/** Until the first leader is known everywhere and the settings are there. */
async function begun(): Promise<void> {
  for (const node of nodes) while (!(await node.submit({ kind: "make", chan: "q", buffer: 5000 })).outcome.ok);
  for (const node of nodes) await node.fresh({ stale: false, minIndex: 0 });
}

/** `done`, the code of a refusal, or that of the error. */
async function endOf(submitted: Promise<{ outcome: Outcome }>): Promise<string> {
  try {
    const { outcome } = await submitted;
    return outcome.ok ? "done" : `refused ${outcome.code}`;
  } catch (error) {
    return (error as SlctError).code;
  }
}

/** Everything that is in the channel, taken out. */
async function drained(chan: string): Promise<string[]> {
  const values: string[] = [];
  for (let n = 0; ; n++) {
    const { outcome } = await nodeAt(n).submit(receive(chan));
    if (!outcome.ok || outcome.answer.kind !== "result") return values;
    values.push(JSON.parse(Buffer.from(outcome.answer.result.data ?? []).toString()) as string);
  }
}

/** The hash of the records of each node, all at one index. */
async function hashes(): Promise<(string | undefined)[]> {
  for (;;) {
    for (const node of nodes)
      await node.fresh({ stale: false, minIndex: Math.max(...nodes.map((one) => one.appliedIndex)) });
    const found = await Promise.all(
      nodes.map(async (node) => (await node.cluster()).nodes.find(({ id }) => id === node.id)?.stateHash),
    );
    if (new Set(found.map((one) => one?.index)).size === 1) return found.map((one) => one?.hash);
  }
}

async function allReady(): Promise<void> {
  while (!nodes.every((node) => node.ready())) await new Promise((resolve) => setImmediate(resolve));
}

async function leaderNow(): Promise<string> {
  for (;;) {
    const { leader } = nodeAt(0).leadership();
    if (leader !== null) return leader;
    await nodeAt(0).fresh({ stale: false, minIndex: 0 });
  }
}

it("creates, meetings and polls work through every node, and the replicas agree", async () => {
  await begun();
  const parked = nodes.map((node) => node.submitAndWait(poll, { waitMs: 20_000, signal: never }));
  const received = nodes.map((node, n) =>
    node.submitAndWait((ref) => receive(`plain${n}`, ref), { waitMs: 20_000, signal: never }),
  );
  const created = Array.from({ length: 9 }, (_, n) => endOf(nodeAt(n).submit(create(`s${n}`, `c${n}`))));
  expect(new Set(await Promise.all(created))).toEqual(new Set(["done"]));
  for (const n of nodes.keys()) while ((await endOf(nodeAt(n + 1).submit(send(`plain${n}`, `v${n}`)))) !== "done");
  expect((await Promise.all(received)).map((end) => end.kind === "result" && String(end.result.data))).toEqual(
    nodes.map((_, n) => `"v${n}"`),
  );
  for (let n = 0; n < 9; n++) expect(await endOf(nodeAt(n + 2).submit(send(`c${n}`, "x")))).toBe("done");
  const handedOut: string[] = [];
  for (const wait of parked) {
    const end = await wait;
    if (end.kind === "granted") handedOut.push(...end.handOuts.map(({ state }) => state.id));
  }
  for (let n = 0; handedOut.length < 9; n++) {
    const end = await nodeAt(n).submitAndWait(poll, { waitMs: 20_000, signal: never });
    if (end.kind === "answer" && end.outcome.answer.kind === "handOuts")
      handedOut.push(...end.outcome.answer.handOuts.map(({ state }) => state.id));
  }
  expect(handedOut.sort()).toEqual(Array.from({ length: 9 }, (_, n) => `s${n}`));
  expect(new Set(await hashes()).size).toBe(1);
});

it("a leader that is cut off costs those behind it an answer, and nobody a value", async () => {
  await begun();
  const leader = await leaderNow();
  const ends = new Map<string, Promise<string>>();
  const begin = (round: string) => {
    for (let n = 0; n < 60; n++) {
      const value = `${round}-${nodeAt(n).id}-${n}`;
      ends.set(value, endOf(nodeAt(n).submit(send("q", value))));
    }
  };
  begin("before");
  await ends.get("before-n1-0");
  begin("during");
  // Some are under way to the leader, some are replicated, some are not yet sent.
  await new Promise((resolve) => setImmediate(resolve));
  network.isolate(leader);
  begin("after");
  const settledEnds = await Promise.all([...ends].map(async ([value, end]) => [value, await end] as const));
  network.heal();
  await allReady();
  const inQueue = await drained("q");
  expect(new Set(inQueue).size).toBe(inQueue.length);
  const missing = settledEnds.filter(([value, end]) => end === "done" && !inQueue.includes(value));
  const unwanted = settledEnds.filter(
    ([value, end]) => /no_leader|overloaded|refused/.test(end) && inQueue.includes(value),
  );
  expect([missing, unwanted]).toEqual([[], []]);
  // Only the one that was cut off may leave its clients in doubt.
  const doubtful = settledEnds.filter(([value, end]) => end !== "done" && !value.includes(leader));
  expect(doubtful).toEqual([]);
  for (const id of ids.filter((one) => one !== leader)) {
    const own = inQueue.filter((value) => value.includes(`-${id}-`)).map((value) => Number(value.split("-")[2]));
    expect(own).toHaveLength(60);
  }
  expect(new Set(await hashes()).size).toBe(1);
});

it("a node that starts again has what it acknowledged, and answers for nothing of its earlier run", async () => {
  await begun();
  for (let n = 0; n < 9; n++) expect(await endOf(nodeAt(n).submit(create(`s${n}`, `c${n}`)))).toBe("done");
  const waiting = endOfWait(nodeAt(0).submitAndWait((ref) => receive("plain", ref), { waitMs: 20_000, signal: never }));
  const now = { stale: false, minIndex: 0 };
  while ((await nodeAt(1).chan("plain", now)).record === undefined);
  await nodeAt(0).close();
  expect(["withdrawn", "timeout"]).toContain(await waiting);
  nodes[0] = await open("n1");
  const readings = await Promise.all(Array.from({ length: 9 }, (_, n) => nodeAt(0).state(`s${n}`, now)));
  expect(readings.map(({ record }) => record?.state.id)).not.toContain(undefined);
  expect(await endOf(nodeAt(0).submit(send("plain", "x")))).toBe("refused not_ready");
  expect(new Set(await hashes()).size).toBe(1);
});

async function endOfWait(wait: Promise<{ kind: string }>): Promise<string> {
  return wait.then(
    ({ kind }) => kind,
    (error: unknown) => (error as SlctError).code,
  );
}

it("I18 a directory that was in use is not begun anew without its identity", async () => {
  await begun();
  await nodeAt(0).close();
  nodes = nodes.slice(1);
  rmSync(join(root, "n1", "identity.json"));
  await expect(open("n1")).rejects.toThrow("has a log, but its identity.json is missing");
});

it("without a quorum everything is answered in bounded time", async () => {
  await begun();
  await Promise.all([nodeAt(1).close(), nodeAt(2).close()]);
  const startedMs = performance.now();
  const ends = await Promise.all([
    endOf(nodeAt(0).submit(send("q", "x"))),
    endOfWait(nodeAt(0).submitAndWait(poll, { waitMs: 1000, signal: never })),
    nodeAt(0)
      .fresh({ stale: false, minIndex: 0 })
      .catch((error: unknown) => (error as SlctError).code),
  ]);
  expect(performance.now() - startedMs).toBeLessThan(8000);
  expect(ends.every((end) => end === "timeout" || end === "no_leader")).toBe(true);
  const lateMs = performance.now();
  expect(await endOf(nodeAt(0).submit(send("q", "y")))).toBe("no_leader");
  expect(performance.now() - lateMs).toBeLessThan(500);
  await nodeAt(0).fresh({ stale: true, minIndex: 0 });
  nodes.length = 1;
});
