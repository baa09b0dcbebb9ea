/**
 * Members that come, go and hand over, with real storage and consensus in one process.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MembershipRequest } from "../../cluster/membership.js";
import type { Member } from "../../cluster/node.js";
import type { SlctError } from "../../src/errors.js";
import { addressOf, openMember } from "./local-member.js";
import { Network } from "./network.js";

let root = "";
let network = new Network();
const nodes = new Map<string, Member>();
const removed: string[] = [];
const fatal: string[] = [];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "slct-membership-"));
  network = new Network();
  await Promise.all(["n1", "n2", "n3"].map((id) => open(id)));
});
afterEach(async () => {
  await Promise.all([...nodes.values()].map((node) => node.close()));
  nodes.clear();
  rmSync(root, { recursive: true });
  removed.length = 0;
  expect(fatal.splice(0)).toEqual([]);
});

async function open(id: string, joins = false): Promise<Member> {
  const onFatal = (error: unknown) => void fatal.push((error as Error).message);
  const options = { root, network, ids: ["n1", "n2", "n3"], join: joins, onFatal };
  const node = await openMember(id, { ...options, onRemoved: () => void removed.push(id) });
  nodes.set(id, node);
  return node;
}

async function close(id: string): Promise<void> {
  await node(id).close();
  nodes.delete(id);
}

function node(id: string): Member {
  const found = nodes.get(id);
  if (found === undefined) throw new Error(`${id} does not run`);
  return found;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

async function leader(): Promise<string> {
  const leads = () => [...nodes.values()].find(({ parts }) => parts.raft.role === "leader");
  await until(() => leads() !== undefined && [...nodes.values()].every((one) => one.ready()));
  return leads()?.id ?? "";
}

const add = (id: string): MembershipRequest => ({ kind: "add", ...addressOf(id) });
const remove = (id: string): MembershipRequest => ({ kind: "remove", id });
const transfer = (id: string): MembershipRequest => ({ kind: "transfer", id });
const voters = (id: string) => node(id).parts.members.all.flatMap((one) => (one.voter ? [one.id] : []));
const isQuiet = (id: string) => !node(id).parts.raft.status().changing;

/** `changed`, `same`, or the code of the refusal. */
async function end(asked: Promise<{ changed: boolean }>): Promise<string> {
  return asked.then(
    ({ changed }) => (changed ? "changed" : "same"),
    (error: unknown) => (error as SlctError).code,
  );
}

/** Its record is in all, and it is the same. */
async function write(by: string, name: string): Promise<void> {
  const { outcome, index } = await node(by).submit({ kind: "make", chan: name, buffer: 1 });
  expect(outcome.ok).toBe(true);
  await Promise.all([...nodes.values()].map((one) => one.fresh({ stale: true, minIndex: index })));
}

async function hashes(): Promise<Set<string | undefined>> {
  await write([...nodes.keys()][0] ?? "", "last");
  const found = await Promise.all(
    [...nodes.values()].map(async (one) => (await one.cluster()).nodes.find(({ id }) => id === one.id)?.stateHash),
  );
  expect(new Set(found.map((one) => one?.index)).size).toBe(1);
  return new Set(found.map((one) => one?.hash));
}

async function grow(id: string, by: string): Promise<void> {
  await open(id, true);
  expect(await end(node(by).change(add(id)))).toBe("changed");
  await until(() => voters(id).includes(id) && isQuiet(id) && node(id).ready());
}

describe("growing", () => {
  it("a node that joins catches up as a learner, becomes a voter and holds the same records", async () => {
    await leader();
    for (let n = 0; n < 20; n++) await write("n1", `c${n}`);
    await open("n4", true);
    expect(node("n4").ready()).toBe(false);
    // Asked of a node that does not lead.
    const asked = ["n1", "n2", "n3"].find((id) => node(id).parts.raft.role !== "leader") ?? "";
    expect(await end(node(asked).change(add("n4")))).toBe("changed");
    expect(node(asked).parts.members.find("n4")).toBeDefined();
    await until(() => voters("n4").length === 4 && isQuiet("n4"));
    await write("n4", "by the new one");
    expect((await hashes()).size).toBe(1);
    const shown = await node("n4").cluster();
    expect(shown.nodes.map(({ id, voter, peer }) => [id, voter, peer])).toEqual(
      ["n1", "n2", "n3", "n4"].map((id) => [id, true, `${id}:1`]),
    );
  });

  it("a member that is not there yet stays a learner, costs no quorum, and is shown", async () => {
    const leads = await leader();
    expect(await end(node("n2").change(add("n4")))).toBe("changed");
    await close(["n1", "n2", "n3"].find((id) => id !== leads) ?? "");
    await write(leads, "two of three");
    const { nodes: shown } = await node(leads).cluster();
    expect(shown.find(({ id }) => id === "n4")).toMatchObject({ voter: false, reachable: false, appliedIndex: 0 });
  });

  it("one that joined starts again without being told anything", async () => {
    await leader();
    await grow("n4", "n1");
    await close("n4");
    await write("n1", "meanwhile");
    await open("n4");
    await until(() => node("n4").ready());
    await write("n4", "again");
    expect((await hashes()).size).toBe(1);
  });
});

describe("shrinking", () => {
  it("the leader may be removed: another one leads, and who is gone ends", async () => {
    const leads = await leader();
    const other = ["n1", "n2", "n3"].find((id) => id !== leads) ?? "";
    expect(await end(node(other).change(remove(leads)))).toBe("changed");
    await until(() => removed.includes(leads));
    await close(leads);
    const next = await leader();
    expect(next).not.toBe(leads);
    await write(other, "without it");
    expect(voters(other)).toHaveLength(2);
    expect((await node(other).cluster()).removed).toEqual([leads]);
    await expect(open(leads)).rejects.toThrow("was removed from the cluster");
    expect(await end(node(other).change(add(leads)))).toBe("exists");
  });

  it("a node that was down while it was removed is told when it comes back", async () => {
    const leads = await leader();
    const down = ["n1", "n2", "n3"].find((id) => id !== leads) ?? "";
    await close(down);
    expect(await end(node(leads).change(remove(down)))).toBe("changed");
    await open(down);
    await until(() => removed.includes(down));
  });

  it("the first three go one by one after two have come, and all is there", async () => {
    await leader();
    for (let n = 0; n < 10; n++) await write("n1", `c${n}`);
    await grow("n4", "n2");
    await grow("n5", "n3");
    for (const id of ["n1", "n2", "n3"]) {
      expect(await end(node("n5").change(remove(id)))).toBe("changed");
      await until(() => removed.includes(id));
      await close(id);
      await write("n4", `without ${id}`);
    }
    expect(voters("n5")).toEqual(["n4", "n5"]);
    expect((await node("n5").chan("c9", { stale: true, minIndex: 0 })).record).toBeDefined();
    expect((await hashes()).size).toBe(1);
  });

  it("what a removed node was asked for ends at once, to be asked elsewhere", async () => {
    const leads = await leader();
    const gone = ["n1", "n2", "n3"].find((id) => id !== leads) ?? "";
    network.isolate(gone);
    const asked = end(
      node(gone)
        .submit({ kind: "make", chan: "late", buffer: 1 })
        .then(() => ({ changed: true })),
    );
    expect(await end(node(leads).change(remove(gone)))).toBe("changed");
    network.heal();
    expect(await asked).toMatch(/timeout|no_leader/);
    await until(() => removed.includes(gone));
  });

  it("what a removed node had parked is gone with it", async () => {
    const leads = await leader();
    const gone = ["n1", "n2", "n3"].find((id) => id !== leads) ?? "";
    const demands = () => node(leads).parts.machine.demandCount;
    const before = demands();
    const wait = node(gone).submitAndWait(
      (ref) => ({ kind: "demand", for: "poll", prefix: "", max: 1, leaseMs: 60_000, park: true, ref }),
      { waitMs: 30_000, signal: new AbortController().signal },
    );
    await until(() => demands() === before + 1);
    expect(await end(node(leads).change(remove(gone)))).toBe("changed");
    expect(demands()).toBe(before);
    await close(gone);
    expect((await wait).kind).toBe("withdrawn");
  });
});

describe("what is refused, and what repeats", () => {
  it("each with its code", async () => {
    const leads = await leader();
    const other = ["n1", "n2", "n3"].find((id) => id !== leads) ?? "";
    for (const by of [leads, other]) {
      expect(await end(node(by).change(remove("n9")))).toBe("not_found");
      expect(await end(node(by).change(transfer("n9")))).toBe("not_found");
      expect(await end(node(by).change({ ...add("n1"), peer: "elsewhere:1" } as MembershipRequest))).toBe("exists");
      expect(await end(node(by).change(add("n1")))).toBe("same");
      expect(await end(node(by).change(transfer(leads)))).toBe("same");
    }
    expect(await end(node(other).change(add("n4")))).toBe("changed");
    expect(await end(node(other).change(transfer("n4")))).toBe("not_ready");
    expect(await end(node(other).change(remove("n4")))).toBe("changed");
    expect(await end(node(other).change(remove("n4")))).toBe("same");
    expect(await end(node(other).change(add("n4")))).toBe("exists");
  });

  it("a removal that would leave no majority that answers", async () => {
    const leads = await leader();
    const [silent = "", other = ""] = ["n1", "n2", "n3"].filter((id) => id !== leads);
    await close(silent);
    await until(() => node(leads).parts.raft.status().progress[silent]?.heard === "no");
    expect(await end(node(leads).change(remove(other)))).toBe("not_ready");
    expect(await end(node(leads).change(remove(silent)))).toBe("changed");
    expect(await end(node(leads).change(remove(other)))).toBe("changed");
    await close(other);
    expect(await end(node(leads).change(remove(leads)))).toBe("busy");
  });

  it("a removal that would leave no majority that answers, asked of a leader that nobody else has answered yet", async () => {
    const leads = await leader();
    const [silent = "", other = ""] = ["n1", "n2", "n3"].filter((id) => id !== leads);
    await close(silent);
    expect(await end(node(leads).change(transfer(other)))).toBe("changed");
    expect(await leader()).toBe(other);
    expect(await end(node(other).change(remove(leads)))).toBe("not_ready");
    await write(other, "goes on");
  });

  it("nothing without a leader, and the same request asked twice at once is one", async () => {
    await leader();
    await open("n4", true);
    expect(await Promise.all([end(node("n2").change(add("n4"))), end(node("n2").change(add("n4")))])).toContain(
      "changed",
    );
    await until(() => voters("n1").includes("n4") && isQuiet("n1"));
    for (const id of nodes.keys()) network.isolate(id);
    await until(() => [...nodes.values()].every(({ parts }) => parts.raft.leader === null));
    expect(await end(node("n1").change(remove("n2")))).toBe("no_leader");
    network.heal();
  });
});

describe("handing over", () => {
  it("J2 on request, whoever is asked, to whom it is asked for", async () => {
    const leads = await leader();
    const [other = "", third = ""] = ["n1", "n2", "n3"].filter((id) => id !== leads);
    expect(await end(node(third).change(transfer(other)))).toBe("changed");
    expect(await leader()).toBe(other);
    expect(await end(node(other).change(transfer(leads)))).toBe("changed");
    expect(await leader()).toBe(leads);
  });

  it("to one that is cut off is given up, and nothing is lost meanwhile", async () => {
    const leads = await leader();
    const other = ["n1", "n2", "n3"].find((id) => id !== leads) ?? "";
    network.isolate(other);
    const asked = end(node(leads).change(transfer(other)));
    const written = Promise.all(
      Array.from({ length: 20 }, (_, n) => node(leads).submit({ kind: "make", chan: `during${n}`, buffer: 1 })),
    );
    expect(await asked).toBe("not_ready");
    expect((await written).every(({ outcome }) => outcome.ok)).toBe(true);
    network.heal();
  });

  it("before the end: writes through the others go on without an election", async () => {
    const leads = await leader();
    const other = ["n1", "n2", "n3"].find((id) => id !== leads) ?? "";
    const { term } = node(leads).parts.raft;
    await node(leads).handOver();
    expect(node(leads).parts.raft.role).toBe("follower");
    await close(leads);
    await write(other, "at once");
    expect(node(other).parts.raft.term).toBe(term + 1);
  });
});
