/**
 * States as registers with a revision: reads, writes and compare-and-sets of many clients, short tries whose outcome may
 * stay unknown. The history of each must be linearizable. All clients share one lease, which they keep alive by writing.
 */
import { performance } from "node:perf_hooks";
import { ChaosClient, isUntouched, type Reply, type Target } from "../client.js";
import { checkLinearizable } from "../linearizability.js";
import {
  registerModel,
  type Register,
  type RegisterCall,
  type RegisterInput,
  type RegisterOutput,
} from "../register.js";
import { loops, statePath, wrong, type Violation, type Workload } from "../workload.js";

interface Key {
  readonly id: string;
  readonly lock: string;
  readonly initial: Register;
  readonly calls: RegisterCall[];
  /** As some client saw it last: what a compare-and-set is based on. */
  version: number;
  unknown: number;
}

const workers = 6;
const paceMs = 30;
const tryMs = 400;
const leaseSeconds = 3600;
/** Registers in use at once; one is replaced after so many operations, or so many without an answer. */
const keysMax = 3;
const callsMax = 600;
const unknownMax = 12;
const shares = { read: 0.4, write: 0.7 };

export function register(target: Target): Workload {
  const clients = Array.from({ length: workers }, (_, n) => new ChaosClient(target, "register", n));
  const keys: Key[] = [];
  const done: Key[] = [];
  const found: Violation[] = [];
  let made = 0;
  const keyFor = async (client: ChaosClient): Promise<Key> => {
    const at = Math.floor(Math.random() * keysMax);
    const key = keys[at];
    if (key !== undefined && key.calls.length < callsMax && key.unknown < unknownMax) return key;
    const fresh = await makeKey(client, `register/${made++}`);
    if (keys[at] === key) {
      if (key !== undefined) done.push(key);
      keys[at] = fresh;
    }
    return keys[at] ?? fresh;
  };
  const running = loops(workers, paceMs, async (worker, round) => {
    const client = clients[worker] as ChaosClient;
    const key = await keyFor(client);
    const input = draw(key, `${worker}-${round}`);
    const invokedMs = performance.now();
    const reply = await request(client, key, input);
    const returnedMs = performance.now();
    const output = reply instanceof Error ? undefined : outputOf(reply);
    if (output === "untouched") return;
    if (output === "wrong") return void found.push(wrong(`${input.op} ${key.id}`, reply as Reply));
    if (output?.kind === "is") key.version = Math.max(key.version, output.version);
    if (output !== undefined) key.calls.push({ input, output, invokedMs, returnedMs });
    else if (input.op !== "read") {
      key.unknown++;
      key.calls.push({ input, invokedMs, returnedMs: Infinity });
    }
  });
  const all = () => [...done, ...keys];
  return {
    name: "register",
    stop: () => running.stop(),
    counts: () => ({
      operations: all().reduce((sum, { calls }) => sum + calls.length, 0),
      unknown: all().reduce((sum, { unknown }) => sum + unknown, 0),
      registers: all().length,
    }),
    violations: () =>
      Promise.resolve([...found, ...all().flatMap(({ id, initial, calls }) => checkRegister(id, initial, calls))]),
  };
}

export function checkRegister(id: string, initial: Register, calls: readonly RegisterCall[]): Violation[] {
  const verdict = checkLinearizable(registerModel(initial, calls), calls);
  if (verdict.kind === "linearizable") return [];
  if (verdict.kind === "undecided") return [{ kind: "wrong", what: `${id}: the check was given up; make it smaller` }];
  const [last, stuck] = [verdict.prefix.at(-1), verdict.stuck.slice(0, 10)].map((one) => JSON.stringify(one));
  return [
    { kind: "stale", what: `${id} is not linearizable: ${verdict.prefix.length} calls up to ${last}, then ${stuck}` },
  ];
}

async function makeKey(client: ChaosClient, id: string): Promise<Key> {
  const Selects = [{ ID: "1", Cases: [{ Op: 1, Chan: `${id}/never` }] }];
  await client.call("PUT", statePath(id), { body: { Data: "", Selects } });
  const { body } = await client.call("POST", statePath(id).concat("/lock"), { body: { For: leaseSeconds } });
  const { Lock, Version } = body as { Lock: string; Version: number };
  return { id, lock: Lock, initial: { version: Version, value: "" }, calls: [], version: Version, unknown: 0 };
}

function draw(key: Key, value: string): RegisterInput {
  const dice = Math.random();
  if (dice < shares.read) return { op: "read" };
  if (dice < shares.write) return { op: "write", value };
  return { op: "compareAndSet", version: key.version, value };
}

function request(client: ChaosClient, key: Key, input: RegisterInput): Promise<Reply | Error> {
  const path = statePath(key.id);
  if (input.op === "read") return client.once("GET", path, {}, tryMs);
  const headers = input.op === "compareAndSet" ? { "if-match": `"${input.version}"` } : {};
  const body = { Lock: key.lock, Hold: true, Data: input.value };
  return client.once("PATCH", path, { body, headers }, tryMs);
}

/** Undefined: unknown. */
function outputOf({ status, body }: Reply): RegisterOutput | "untouched" | "wrong" | undefined {
  if (status === 200) {
    const { Version, Data } = body as { Version: number; Data?: string };
    return { kind: "is", version: Version, ...(Data === undefined ? {} : { value: Data }) };
  }
  if (status === 412) return { kind: "mismatch" };
  if (isUntouched(status, JSON.stringify(body))) return "untouched";
  return status >= 500 || status === 408 ? undefined : "wrong";
}
