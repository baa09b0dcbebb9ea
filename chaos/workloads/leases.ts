/**
 * Processes that count, woken by poll: one holder at a time, no step lost, no step done twice, an old lock is refused;
 * some holders die.
 */
import { ChaosClient, type Target } from "../client.js";
import { loops, statePath, wrong, type Violation, type Workload } from "../workload.js";

interface Handed {
  readonly ID: string;
  readonly Version: number;
  readonly Lock: string;
  readonly LockUntil: number;
  readonly Data: { readonly n: number };
}

/** One hand-out as its holder saw it. */
export interface Holding {
  readonly version: number;
  /** Log time. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly n: number;
  /** A put-back was sent under this lock. */
  put?: "accepted" | "refused";
}

const leaseSeconds = 1;
/** One in so many holders forgets what it holds; one in so many comes back with an older lock. */
const deathOneIn = 15;
const next = [{ ID: "1", Cases: [{ Op: 4 }] }];
const workers = 3;
const states = 8;
const paceMs = 25;

export function leases(target: Target): Workload {
  const clients = Array.from({ length: workers }, (_, n) => new ChaosClient(target, "lease", n));
  const held = new Map<string, Holding[]>();
  const abandoned: Handed[] = [];
  const found: Violation[] = [];
  let fenced = 0;
  const created = createAll(clients[0] as ChaosClient);
  const take = async (client: ChaosClient, state: Handed) => {
    const { ID, Version, LockUntil, Data } = state;
    const fromMs = LockUntil - leaseSeconds * 1000;
    const holding: Holding = { version: Version, fromMs, untilMs: LockUntil, n: Data.n };
    held.set(ID, [...(held.get(ID) ?? []), holding]);
    if (Math.random() * deathOneIn < 1) return void abandoned.push(state);
    const body = { Lock: state.Lock, Data: { n: Data.n + 1 }, Selects: next };
    const reply = await client.call("PUT", statePath(ID), { body });
    if (reply.status === 200) holding.put = "accepted";
    else if (reply.status === 409) holding.put = "refused";
    else found.push(wrong(`put back ${ID}`, reply));
  };
  const running = loops(workers, paceMs, async (worker) => {
    await created;
    const client = clients[worker] as ChaosClient;
    const path = `/state/poll?prefix=lease/&wait=2&max=2&lease=${leaseSeconds}`;
    const polled = await client.once("GET", path, { waitSeconds: 2 });
    if (polled instanceof Error || polled.status !== 200) return;
    for (const state of polled.body as Handed[]) {
      // Whoever holds it now: the one before is fenced off, at the latest by this hand-out.
      const old = abandoned.findIndex(({ ID, Version }) => ID === state.ID && Version < state.Version);
      const [late] = old === -1 ? [] : abandoned.splice(old, 1);
      if (late !== undefined) {
        const body = { Lock: late.Lock, Data: { n: -1 }, Selects: next };
        const reply = await client.call("PUT", statePath(late.ID), { body });
        if (reply.status === 409) fenced++;
        else found.push({ kind: "overlap", what: `${late.ID}: the lock of version ${late.Version} was accepted` });
      }
      await take(client, state);
    }
  });
  return {
    name: "leases",
    stop: () => running.stop(),
    counts: () => {
      const all = [...held.values()].flat();
      return { handOuts: all.length, accepted: all.filter(({ put }) => put === "accepted").length, fenced };
    },
    async violations() {
      for (const [id, holdings] of held) {
        const { body } = await (clients[0] as ChaosClient).call("GET", statePath(id));
        found.push(...checkLeases(id, holdings, (body as Handed).Data.n));
      }
      return found;
    },
  };
}

async function createAll(client: ChaosClient): Promise<void> {
  for (let n = 0; n < states; n++) {
    await client.call("PUT", statePath(`lease/${n}`), { body: { Data: { n: 0 }, Selects: next } });
  }
}

/**
 * Hand-outs in order of version: the count never goes back, and a lease ends before the next one begins.
 * @param n what the state counted to at the end
 */
export function checkLeases(id: string, holdings: readonly Holding[], n: number): Violation[] {
  const found: Violation[] = [];
  const ordered = [...holdings].sort((a, b) => a.version - b.version);
  ordered.forEach((one, at) => {
    const before = ordered[at - 1];
    if (before === undefined) return;
    if (one.version === before.version)
      found.push({ kind: "overlap", what: `${id} was handed out twice at version ${one.version}` });
    const steps = before.put === "accepted" ? 1 : 0;
    if (one.n < before.n + steps)
      found.push({ kind: "lost", what: `${id} went back from ${before.n + steps} to ${one.n}` });
    if (before.put !== "accepted" && one.fromMs < before.untilMs)
      found.push({ kind: "overlap", what: `${id} had two holders at ${one.fromMs}` });
  });
  const accepted = holdings.filter(({ put }) => put === "accepted").length;
  if (n < accepted) found.push({ kind: "lost", what: `${id} counted to ${n}, but ${accepted} steps were accepted` });
  if (n > accepted)
    found.push({ kind: "duplicated", what: `${id} counted to ${n}, but only ${accepted} steps were accepted` });
  return found;
}
