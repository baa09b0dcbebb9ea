/**
 * The program behind crash-sites.test.ts: three members in one process, all of which die at once at a named place.
 *
 *   <dir> <acknowledged.json> <round> [site]
 *
 * Opens the members on what the last run left, looks for everything that was ever acknowledged, prints `verified`. Then
 * works until the place is passed, printing each acknowledgement on a line; without a place it takes everything out of the
 * queue, prints it, and ends.
 */
import { readFileSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { strikeAt } from "../../chaos/arming.js";
import { armFailpoints, type Site } from "../../cluster/failpoint.js";
import type { Member } from "../../cluster/node.js";
import type { Command } from "../../src/select/command.js";
import type { SelectSpec } from "../../src/select/types.js";
import { openMember } from "../cluster/local-member.js";
import { Network } from "../cluster/network.js";

const [dir = "", acknowledgedFile = "", round = "", site] = process.argv.slice(2);
const ids = ["n1", "n2", "n3"];
const never = new AbortController().signal;
/** Passed while a node starts, and seldom later. */
const isEarly = site?.startsWith("file.") === true;
const workMsMax = 60_000;

const report = (line: string) => writeSync(1, `${line}\n`);
const arm = () => armFailpoints(strikeAt({ site: site as Site, action: { kind: "exit" }, after: 0 }));
const soon = () => new Promise((resolve) => setImmediate(resolve));

async function open(): Promise<readonly Member[]> {
  const network = new Network();
  const onFatal = (error: unknown) => {
    report(`fatal ${String(error)}`);
    process.exit(70);
  };
  const receiver = createServer((request, response) => {
    request.resume();
    response.end("{}");
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  receiver.unref();
  uri = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  const config = {
    // Small, so that segments are changed, cut and used again, and records are flushed all the time.
    ...{ logSegmentBytes: 256 * 1024, logTailBytes: 0, overlayBytesMax: 64 * 1024 },
    callback: {
      ...{ slots: 2, timeoutMs: 1000, responseBytesMax: 1000, allow: ["127.0.0.0/8"], secrets: [] },
      backoffMs: { first: 10, max: 100, factor: 2, jitter: 0 },
    },
  };
  const hooks = { parseReturned: (id: string, lock: string) => put(id, { lock }) };
  return Promise.all(ids.map((id) => openMember(id, { root: dir, network, ids, onFatal, config, hooks })));
}

let uri = "";
/** A put-back is no repetition of what created the state. */
const put = (id: string, more: Partial<Extract<Command, { kind: "put" }>> = {}): Command => ({
  ...{ kind: "put", id, digest: id, data: Buffer.alloc(8000, "x"), selects: [], ...more },
  ...(more.lock === undefined && { requestId: id }),
});
const ready: SelectSpec = { id: "1", choice: "random", cases: [{ op: "default" }] };
const after: SelectSpec = { ...ready, cases: [{ op: "time", form: { kind: "after", afterMs: 1 } }] };
const plain = (op: "send" | "recv", chan: string, text?: string): Extract<Command, { kind: "select" }> => ({
  ...{ kind: "select", route: op, choice: "random", ...(text !== undefined && { requestId: text }) },
  cases: [op === "send" ? { op, chan, data: Buffer.from(text ?? "") } : { op, chan }],
});

/** @throws Error when a member lacks what was acknowledged */
async function verify(members: readonly Member[]): Promise<void> {
  const acknowledged = JSON.parse(readFileSync(acknowledgedFile, "utf8")) as string[];
  for (const member of members) {
    while (!member.ready()) await soon();
    await member.fresh({ stale: false, minIndex: 0 });
    const states = acknowledged.filter((text) => text.startsWith("s"));
    const readings = await Promise.all(states.map((text) => member.state(text, { stale: true, minIndex: 0 })));
    const lost = states.filter((_, n) => readings[n]?.record === undefined);
    if (lost.length > 0) throw new Error(`${member.id} lost ${lost.join()}`);
  }
  report(`verified ${acknowledged.length}`);
}

/** Every kind of work, each through another member, until the process dies. */
async function work(members: readonly Member[]): Promise<void> {
  const endMs = performance.now() + workMsMax;
  const loop = async (step: (member: Member, name: string) => Promise<unknown>): Promise<void> => {
    for (let n = 0; performance.now() < endMs; n += 1) {
      // What is refused or unknown was not acknowledged.
      await step(members[n % 3] as Member, `${round}.${n}`).catch(soon);
    }
  };
  const acknowledge = async (member: Member, command: Command, name: string): Promise<void> => {
    const { outcome } = await member.submit(command);
    if (outcome.ok) report(`done ${name}`);
  };
  const poll = async (member: Member): Promise<void> => {
    const demand = { kind: "demand", for: "poll", prefix: "p", max: 1, leaseMs: 1000, park: true } as const;
    const waited = await member.submitAndWait((ref) => ({ ...demand, ref }), { waitMs: 50, signal: never });
    const answer = waited.kind === "answer" ? waited.outcome.answer : waited;
    const handOuts = "handOuts" in answer ? answer.handOuts : [];
    for (const { state } of handOuts) {
      if (state.lock !== undefined) await member.submit(put(state.id, { lock: state.lock.token }));
    }
  };
  const receive = (member: Member) =>
    member.submitAndWait((ref) => ({ ...plain("recv", "nobody"), wait: { ref } }), { waitMs: 5, signal: never });
  const change = async (member: Member): Promise<void> => {
    const id = `x${round}`;
    await member.change({ kind: "add", id, peer: "127.0.0.1:1", api: "http://127.0.0.1:1" });
    await member.change({ kind: "remove", id });
  };
  await Promise.all([
    ...["s", "s"].map((prefix, at) =>
      loop((member, name) => acknowledge(member, put(`${prefix}${at}.${name}`), `${prefix}${at}.${name}`)),
    ),
    loop((member, name) => acknowledge(member, plain("send", "q", `q${name}`), `q${name}`)),
    loop((member, name) => member.submit(put(`t${name}`, { selects: [after] }))),
    loop((member, name) => member.submit(put(`p${name}`, { selects: [ready] }))),
    loop((member, name) => member.submit(put(`c${name}`, { selects: [ready], callback: { type: 1, uri } }))),
    ...members.map((member) => loop(() => poll(member))),
    loop(receive),
    loop(change),
  ]);
}

/** Everything that is in the queue, printed. */
async function drain(member: Member): Promise<void> {
  for (let more = true; more;) {
    const taken = await Promise.all(Array.from({ length: 500 }, () => member.submit(plain("recv", "q"))));
    for (const { outcome } of taken) {
      more = outcome.ok;
      if (outcome.ok && outcome.answer.kind === "result") {
        report(`held ${Buffer.from(outcome.answer.result.data ?? []).toString()}`);
      }
    }
  }
}

if (isEarly) arm();
const members = await open();
await verify(members);
const [first] = members as [Member];
if (site === undefined) {
  await drain(first);
  process.exit(0);
}
await first.submit({ kind: "make", chan: "q", buffer: 1_000_000 });
arm();
await work(members);
report(`${site} was not passed`);
process.exit(1);
