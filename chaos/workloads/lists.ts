/**
 * Lists in states: clients append by compare-and-set on the revision, and read several lists in one request. What they
 * saw must have one order.
 */
import { performance } from "node:perf_hooks";
import { checkAppends, type AppendOperation } from "../append-graph.js";
import { ChaosClient, isUntouched, type Target } from "../client.js";
import { loops, statePath, wrong, type Violation, type Workload } from "../workload.js";

interface ListState {
  readonly ID: string;
  readonly Version: number;
  readonly Data: readonly string[];
}

const keys = 4;
const workers = 4;
const paceMs = 40;
const tryMs = 600;
const leaseSeconds = 3600;
const readShare = 0.4;
/** A list that is longer is left alone, and a new one begun. */
const lengthMax = 100;

export function lists(target: Target): Workload {
  const clients = Array.from({ length: workers }, (_, n) => new ChaosClient(target, "list", n));
  const operations: AppendOperation[] = [];
  const found: Violation[] = [];
  const locks = new Map<string, string>();
  let generation = 0;
  const prefix = () => `list/${generation}/`;
  let opened = openLists(clients[0] as ChaosClient, prefix(), locks);
  const read = async (client: ChaosClient) => {
    const invokedMs = performance.now();
    const reply = await client.once("GET", `/state?prefix=${encodeURIComponent(prefix())}&limit=100`, {}, tryMs);
    if (reply instanceof Error || reply.status !== 200) return;
    const { States } = reply.body as { States: readonly ListState[] };
    const all = new Map(States.map(({ ID, Data }) => [ID, Data]));
    operations.push({ op: "read", lists: all, invokedMs, returnedMs: performance.now() });
  };
  const append = async (client: ChaosClient, value: string) => {
    const key = `${prefix()}${Math.floor(Math.random() * keys)}`;
    const before = await client.once("GET", statePath(key), {}, tryMs);
    if (before instanceof Error || before.status !== 200) return;
    const { Version, Data } = before.body as ListState;
    if (Data.length >= lengthMax && key.startsWith(prefix())) {
      generation++;
      opened = openLists(client, prefix(), locks);
      return;
    }
    const invokedMs = performance.now();
    const body = { Lock: locks.get(key), Hold: true, Data: [...Data, value] };
    const headers = { "if-match": `"${Version}"` };
    const reply = await client.once("PATCH", statePath(key), { body, headers }, tryMs);
    const isKnown = !(reply instanceof Error) && reply.status < 500 && reply.status !== 408;
    if (isKnown && reply.status === 412) return;
    if (!(reply instanceof Error) && isUntouched(reply.status, JSON.stringify(reply.body))) return;
    if (isKnown && reply.status !== 200) return void found.push(wrong(`append to ${key}`, reply));
    operations.push({ op: "append", key, value, invokedMs, returnedMs: isKnown ? performance.now() : Infinity });
  };
  const running = loops(workers, paceMs, async (worker, round) => {
    await opened;
    const client = clients[worker] as ChaosClient;
    await (Math.random() < readShare ? read(client) : append(client, `${worker}-${round}`));
  });
  return {
    name: "lists",
    stop: () => running.stop(),
    counts: () => {
      const appends = operations.filter(({ op }) => op === "append").length;
      return { appends, reads: operations.length - appends };
    },
    async violations() {
      const final = new Map<string, readonly string[]>();
      for (const key of locks.keys()) {
        const { body } = await (clients[0] as ChaosClient).call("GET", statePath(key));
        final.set(key, (body as ListState).Data);
      }
      return [...found, ...checkAppends(operations, final)];
    },
  };
}

async function openLists(client: ChaosClient, prefix: string, locks: Map<string, string>): Promise<void> {
  for (let n = 0; n < keys; n++) {
    const id = `${prefix}${n}`;
    const Selects = [{ ID: "1", Cases: [{ Op: 1, Chan: `${id}/never` }] }];
    await client.call("PUT", statePath(id), { body: { Data: [], Selects } });
    const { body } = await client.call("POST", `${statePath(id)}/lock`, { body: { For: leaseSeconds } });
    locks.set(id, (body as { Lock: string }).Lock);
  }
}
