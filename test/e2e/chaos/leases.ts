/**
 * Processes that count, woken by poll: one holder at a time, no step lost, no step done twice; some holders die.
 */
import { ChaosClient } from "./client.js";
import { loops, type Workload } from "./workload.js";

interface Handed {
  readonly ID: string;
  readonly Version: number;
  readonly Lock: string;
  readonly LockUntil: number;
  readonly Data: { readonly n: number };
}

interface Holding extends Handed {
  /** A put-back was sent under this lock. */
  put?: "accepted" | "refused";
}

const leaseSeconds = 1;
/** One in so many holders forgets what it holds. */
const deathOneIn = 15;
const next = [{ ID: "1", Cases: [{ Op: 4 }] }];

export function leases(nodes: readonly string[], workers: number, states: number): Workload {
  const clients = Array.from({ length: workers }, (_, n) => new ChaosClient(nodes, `lease-${n}`, n));
  const held = new Map<string, Holding[]>();
  const wrong: string[] = [];
  const created = createAll(clients[0] as ChaosClient, states);
  const running = loops(workers, async (worker) => {
    await created;
    const client = clients[worker] as ChaosClient;
    const polled = await client.try("GET", `/state/poll?prefix=lease/&wait=2&max=2&lease=${leaseSeconds}`, {
      timeoutMs: 4500,
    });
    if (polled instanceof Error || polled.status !== 200) return client.turn();
    for (const state of polled.body as Handed[]) {
      const holding: Holding = state;
      held.set(state.ID, [...(held.get(state.ID) ?? []), holding]);
      if (Math.random() * deathOneIn < 1) continue;
      const body = { Lock: state.Lock, Data: { n: state.Data.n + 1 }, Selects: next };
      const { status, body: answer } = await client.call("PUT", `/state/${encodeURIComponent(state.ID)}`, body);
      if (status === 200) holding.put = "accepted";
      else if (status === 409) holding.put = "refused";
      else wrong.push(`put back ${state.ID}: ${status} ${JSON.stringify(answer)}`);
    }
  });
  return {
    name: "leases",
    stop: () => running.stop(),
    counts: () => ({
      handOuts: [...held.values()].flat().length,
      accepted: [...held.values()].flat().filter(({ put }) => put === "accepted").length,
    }),
    async violations() {
      for (const [id, holdings] of held) {
        wrong.push(...check(id, holdings));
        const { body } = await (clients[0] as ChaosClient).call("GET", `/state/${encodeURIComponent(id)}`);
        const accepted = holdings.filter(({ put }) => put === "accepted").length;
        const n = (body as Handed).Data.n;
        if (n !== accepted) wrong.push(`${id} counted to ${n}, but ${accepted} put-backs were accepted`);
      }
      return wrong;
    },
  };
}

async function createAll(client: ChaosClient, states: number): Promise<void> {
  for (let n = 0; n < states; n++) {
    await client.call("PUT", `/state/${encodeURIComponent(`lease/${n}`)}`, { Data: { n: 0 }, Selects: next });
  }
}

/** Hand-outs in order of Version: the count never goes back, and a lease ends before the next one begins. */
function check(id: string, holdings: readonly Holding[]): string[] {
  const wrong: string[] = [];
  const ordered = [...holdings].sort((a, b) => a.Version - b.Version);
  ordered.forEach((one, n) => {
    const before = ordered[n - 1];
    if (before === undefined) return;
    if (one.Version === before.Version) wrong.push(`${id} was handed out twice at version ${one.Version}`);
    const steps = before.put === "accepted" ? 1 : 0;
    if (one.Data.n < before.Data.n + steps)
      wrong.push(`${id} went back from ${before.Data.n + steps} to ${one.Data.n}`);
    const grantedAt = one.LockUntil - leaseSeconds * 1000;
    if (before.put !== "accepted" && grantedAt < before.LockUntil) wrong.push(`${id} had two holders at ${grantedAt}`);
  });
  return wrong;
}
