/**
 * Unique values through buffered channels: what was sent arrives, once, and in order; nothing else does. Some tries are
 * not repeated, so their outcome stays unknown.
 */
import { performance } from "node:perf_hooks";
import { ChaosClient, isUntouched, type Target } from "../client.js";
import { loops, wrong, type Violation, type Workload } from "../workload.js";

export interface Sent {
  readonly chan: string;
  readonly value: string;
  readonly invokedMs: number;
  /** `Infinity` when nobody knows whether it was sent. */
  readonly returnedMs: number;
}

export interface Received {
  readonly chan: string;
  readonly value: string;
  readonly invokedMs: number;
  readonly returnedMs: number;
}

interface Asked {
  readonly chan: string;
  /** The Request-Id. */
  readonly id: string;
  /** Of the first try. */
  readonly invokedMs: number;
}

const chans = ["queue-0", "queue-1"];
const buffer = 1000;
const senders = 2;
const receivers = 2;
const paceMs = 25;
const waitSeconds = 1;
/** Part of the sends that are not repeated when no answer comes. */
const unknownShare = 0.3;

export function queue(target: Target): Workload {
  const clients = Array.from({ length: senders + receivers }, (_, n) => new ChaosClient(target, "queue", n));
  const first = clients[0] as ChaosClient;
  const sent: Sent[] = [];
  const received: Received[] = [];
  const found: Violation[] = [];
  const made = Promise.all(chans.map((chan) => first.call("PUT", `/channel/${chan}`, { body: { Buffer: buffer } })));
  const send = loops(senders, paceMs, async (worker, round) => {
    await made;
    const client = clients[worker] as ChaosClient;
    const chan = chans[Math.floor(Math.random() * chans.length)] ?? "";
    const value = `${worker}-${round}`;
    const path = `/channel/${chan}/send?wait=${waitSeconds}`;
    const invokedMs = performance.now();
    const repeats = Math.random() >= unknownShare;
    const request = { body: { Data: value }, waitSeconds };
    const reply = await (repeats ? client.call("POST", path, request) : client.once("POST", path, request));
    if (!(reply instanceof Error)) {
      if (isUntouched(reply.status, JSON.stringify(reply.body))) return;
      if (reply.status === 200) return void sent.push({ chan, value, invokedMs, returnedMs: performance.now() });
      if (reply.status < 500 && ![408, 409].includes(reply.status))
        return void found.push(wrong(`send ${value}`, reply));
    }
    sent.push({ chan, value, invokedMs, returnedMs: Infinity });
  });
  /** By receiver: what it asked for last, under the same Request-Id until there is something. */
  const asked = new Map<number, Asked>();
  const receive = async (client: ChaosClient, { chan, id, invokedMs }: Asked, wait: number) => {
    const request = { waitSeconds: wait, headers: { "request-id": id } };
    const reply = await client.call("POST", `/channel/${chan}/recv?wait=${wait}`, request);
    if (reply.status === 409) return false;
    const { Data } = reply.body as { Data: string };
    received.push({ chan, value: Data, invokedMs, returnedMs: performance.now() });
    return true;
  };
  const take = loops(receivers, paceMs / 2, async (worker, round) => {
    await made;
    const chan = chans[(worker + round) % chans.length] ?? "";
    const one = asked.get(worker) ?? { chan, id: `queue-${worker}-${round}`, invokedMs: performance.now() };
    asked.set(worker, one);
    if (await receive(clients[senders + worker] as ChaosClient, one, waitSeconds)) asked.delete(worker);
  });
  return {
    name: "queue",
    async stop() {
      await send.stop();
      await take.stop();
    },
    counts: () => ({ sent: sent.length, received: received.length }),
    async violations() {
      for (const one of asked.values()) await receive(first, one, 0);
      let left = 0;
      const next = (chan: string) => ({ chan, id: `queue-left-${left++}`, invokedMs: performance.now() });
      for (const chan of chans) while (await receive(first, next(chan), 0));
      return [...found, ...checkQueue(sent, received)];
    },
  };
}

/** `received` includes what was left in the channels at the end. */
export function checkQueue(sent: readonly Sent[], received: readonly Received[]): Violation[] {
  const found: Violation[] = [];
  const sends = new Map(sent.map((one) => [one.value, one]));
  const taken = new Map<string, Received>();
  for (const one of received) {
    if (taken.has(one.value)) found.push({ kind: "duplicated", what: `${one.value} was received twice` });
    if (sends.get(one.value)?.chan !== one.chan)
      found.push({ kind: "phantom", what: `${one.value} was never sent to ${one.chan}` });
    taken.set(one.value, one);
  }
  for (const { value, returnedMs } of sent)
    if (returnedMs !== Infinity && !taken.has(value))
      found.push({ kind: "lost", what: `${value} was sent and never received` });
  for (const chan of new Set(sent.map(({ chan }) => chan)))
    found.push(
      ...checkFifo(
        sent.filter((one) => one.chan === chan && taken.has(one.value)),
        taken,
      ),
    );
  return found;
}

/** Nothing that was sent after another value had been is received before anybody asks for that one. */
function checkFifo(sent: readonly Sent[], taken: ReadonlyMap<string, Received>): Violation[] {
  const found: Violation[] = [];
  const byInvocation = [...sent].sort((a, b) => a.invokedMs - b.invokedMs);
  const byReturn = [...sent].sort((a, b) => a.returnedMs - b.returnedMs);
  const askedMs = ({ value }: Sent) => taken.get(value)?.invokedMs ?? 0;
  let returned = 0;
  let latest: Sent | undefined;
  for (const one of byInvocation) {
    for (; (byReturn[returned]?.returnedMs ?? Infinity) < one.invokedMs; returned++) {
      const before = byReturn[returned] as Sent;
      if (latest === undefined || askedMs(before) > askedMs(latest)) latest = before;
    }
    if (latest !== undefined && (taken.get(one.value)?.returnedMs ?? 0) < askedMs(latest))
      found.push({
        kind: "reordered",
        what: `${one.value} was received before ${latest.value}, which was sent before it`,
      });
  }
  return found;
}
