/**
 * Restoring: nothing is written before an archive was read to its end, and what is written begins a cluster of its own.
 * Reliability 55.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ArchiveError } from "../../cluster/archive-format.js";
import { writeArchive } from "../../cluster/archive-writer.js";
import { configurationKey } from "../../cluster/configuration.js";
import { findIdentity } from "../../cluster/identity.js";
import { SegmentLog } from "../../cluster/log.js";
import { inspectArchive, restoreNode, type NewNode } from "../../cluster/restore.js";
import { LevelStore } from "../../cluster/store.js";
import { encodeConfiguration } from "../../raft/configuration.js";
import type { Command } from "../../src/select/command.js";
import { keys } from "../../src/select/keys.js";
import { Machine } from "../../src/select/machine.js";
import type { Meta } from "../../src/select/types.js";
import { MapView } from "../../src/select/view-map.js";
import { settings } from "../cluster/engine.js";
import { readViewOf } from "./read-view.js";

let root: string;
let file: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "slct-restore-"));
  file = join(root, "backup");
});
afterEach(() => rm(root, { recursive: true }));

const addressOf = (id: string) => ({ id, peer: `${id}:1`, api: `http://${id}` });
const oldMembers = { members: ["n1", "n2"].map((id) => ({ ...addressOf(id), voter: true })), removed: ["n0"] };
const [index, term] = [70, 6];

/** A cluster with a state, a poll of n1 and a receive of n2 that wait, and a change of its members. */
function records(states = 3): Map<string, unknown> {
  const view = new MapView();
  const machine = new Machine(view);
  let at = 0;
  const apply = (command: Command) => machine.apply({ index: ++at, nowMs: 1000, command });
  apply({ kind: "configure", seed: new Uint8Array(16).fill(7), settings });
  for (let n = 0; n < states; n++) {
    const data = Buffer.from(JSON.stringify("x".repeat(n)));
    const cases = [{ op: "recv" as const, chan: `c${n}` }];
    apply({ kind: "put", id: `s${n}`, digest: "", data, selects: [{ id: "1", cases, choice: "order" }] });
  }
  const ref = { node: "n1", epoch: 9, seq: 1 };
  apply({ kind: "demand", for: "poll", prefix: "s", max: 1, leaseMs: 1000, park: true, ref });
  const wait = { ref: { node: "n2", epoch: 4, seq: 3 } };
  apply({ kind: "select", route: "r", cases: [{ op: "recv", chan: "c0" }], choice: "order", wait });
  view.put(configurationKey, oldMembers);
  return new Map(view.entries());
}

async function archive(values = records(), clusterId = "old"): Promise<Buffer> {
  const header = { clusterId, nowMs: 1000, configuration: encodeConfiguration(oldMembers) };
  const pieces: Buffer[] = [];
  for await (const piece of writeArchive(readViewOf(values, { index, term }), header)) pieces.push(piece);
  return Buffer.concat(pieces);
}

function newNode(id = "m1"): NewNode {
  const members = ["m1", "m2"].map(addressOf);
  return { dataDir: join(root, id), id, clusterId: "new", members, logSegmentBytes: 1 << 20 };
}

/** As a program does it. */
async function restore(node = newNode()): Promise<void> {
  await restoreNode(await inspectArchive(file), node);
}

function openRestored(id = "m1"): Promise<LevelStore> {
  const onError = (error: unknown) => {
    throw error;
  };
  return LevelStore.open({ dir: join(root, id, "store"), overlayBytesMax: 1 << 20, onError });
}

describe("a node of the new cluster", () => {
  beforeEach(async () => writeFile(file, await archive()));

  test("has an identity of its own, and a log that goes on behind the archive", async () => {
    await restore();
    const identity = findIdentity(join(root, "m1"), "new", "m1");
    expect(identity).toMatchObject({ epoch: 1, members: ["m1", "m2"].map(addressOf) });
    expect(() => findIdentity(join(root, "m1"), "old", "m1")).toThrow(/belongs to node m1 of cluster new/);
    const log = await SegmentLog.open({
      ...{ dir: join(root, "m1", "log"), clusterId: "new", nodeId: "m1", segmentBytes: 1 << 20, mustExist: true },
    });
    expect([log.firstIndex(), log.lastIndex(), log.term(index + 1)]).toEqual([index + 2, index + 1, term]);
    expect(log.hardState).toMatchObject({ currentTerm: term, votedFor: null });
    await log.close();
  });

  test("has every record, but for what belonged to the old members", async () => {
    await restore();
    const store = await openRestored();
    await store.verify();
    expect([store.appliedIndex, store.appliedTerm]).toEqual([index + 1, term]);
    const before = records();
    const found = new Map(await store.range({ gte: "", lt: "\u{10ffff}", limit: 1000 }));
    for (const id of ["s0", "s1", "s2"]) expect(found.get(keys.state(id))).toEqual(before.get(keys.state(id)));
    expect(found.has(configurationKey)).toBe(false);
    const waiting = (key: string) => key.startsWith("q\0");
    expect([...before.keys()].some(waiting)).toBe(true);
    expect([...found.keys()].some(waiting)).toBe(false);
    await store.close();
  });

  test("draws locks that the old cluster does not", async () => {
    await restore();
    const store = await openRestored();
    const { seed } = store.get(keys.meta) as Meta;
    expect(seed).toHaveLength(16);
    expect(Buffer.from(seed).equals(Buffer.alloc(16, 7))).toBe(false);
    await store.close();
  });

  test("holds the same records as the others", async () => {
    await restore(newNode("m1"));
    await restore(newNode("m2"));
    const stores = await Promise.all(["m1", "m2"].map((id) => openRestored(id)));
    const hashes = await Promise.all(stores.map((store) => store.stateHash()));
    expect(hashes[0]).toEqual(hashes[1]);
    expect(findIdentity(join(root, "m1"), "new", "m1")?.instance).not.toBe(
      findIdentity(join(root, "m2"), "new", "m2")?.instance,
    );
    await Promise.all(stores.map((store) => store.close()));
  });

  test("is not made over what is there, nor under the name of the old cluster", async () => {
    await restore();
    const before = await readFile(join(root, "m1", "identity.json"), "utf8");
    await expect(restore()).rejects.toThrow(/m1 is not empty/);
    expect(await readFile(join(root, "m1", "identity.json"), "utf8")).toBe(before);
    await expect(restore({ ...newNode("m2"), clusterId: "old" })).rejects.toThrow(/a name of its own/);
    expect(await readdir(root)).toEqual(["backup", "m1"]);
  });
});

describe("a file that is not the archive that was written", () => {
  async function refused(bytes: Buffer, what: string): Promise<void> {
    await writeFile(file, bytes);
    await expect(restore(), what).rejects.toThrow(ArchiveError);
  }

  test("any byte changed: refused, nothing written", async () => {
    const bytes = await archive(records(1));
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      await refused(damaged, `byte ${at}`);
    }
    expect(await readdir(root)).toEqual(["backup"]);
  });

  test("cut anywhere, or longer: refused, nothing written", async () => {
    const bytes = await archive(records(1));
    for (let length = 0; length < bytes.length; length++) await refused(bytes.subarray(0, length), `${length} bytes`);
    await refused(Buffer.concat([bytes, Buffer.of(0)]), "one byte more");
    await refused(Buffer.concat([bytes, bytes]), "twice");
    expect(await readdir(root)).toEqual(["backup"]);
  });

  test("something else: refused, nothing written", async () => {
    await refused(Buffer.from('{"States": []}'), "JSON");
    await refused(Buffer.alloc(4096), "zeros");
    const withoutMembers: Buffer[] = [];
    const header = { clusterId: "old", nowMs: 0, configuration: Buffer.from("{}") };
    for await (const piece of writeArchive(readViewOf(new Map(), { index, term }), header)) withoutMembers.push(piece);
    await refused(Buffer.concat(withoutMembers), "no members");
    await rm(file);
    await expect(restore()).rejects.toMatchObject({ code: "ENOENT" });
    expect(await readdir(root)).toEqual([]);
  });

  test("one that became another one after it was checked: what was written is removed", async () => {
    await writeFile(file, await archive());
    const inspected = await inspectArchive(file);
    await writeFile(file, await archive(records(5)));
    await expect(restoreNode(inspected, newNode())).rejects.toMatchObject({ kind: "corrupt" });
    expect(await readdir(join(root, "m1"))).toEqual([]);
  });
});
