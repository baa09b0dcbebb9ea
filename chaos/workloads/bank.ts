/**
 * Tokens that move between channels: processes receive one from any account and send it to another. Whatever happens to
 * the processes, the nodes and the workers, each token is in exactly one place.
 */
import { ChaosClient, type Target } from "../client.js";
import { loops, statePath, wrong, type Violation, type Workload } from "../workload.js";

interface Mover {
  readonly ID: string;
  readonly Lock: string;
  readonly Data: { readonly token: string | null; readonly moves: number };
  readonly Selects: readonly Select[];
  readonly Results: readonly { readonly Op: number; readonly Data?: string }[];
}

interface Select {
  readonly Cases: readonly { readonly Op: number; readonly Data?: string }[];
  readonly Result?: { readonly Op: number; readonly Data?: string };
}

const accounts = ["bank-0", "bank-1", "bank-2"];
const tokens = 24;
const movers = 6;
const workers = 2;
const paceMs = 25;
/** A worker dies with what it holds. */
const deathOneIn = 25;
const anyToken = [{ ID: "1", Cases: accounts.map((Chan) => ({ Op: 1, Chan })) }];

export function bank(target: Target): Workload {
  const clients = Array.from({ length: workers }, (_, n) => new ChaosClient(target, "bank", n));
  const first = clients[0] as ChaosClient;
  const found: Violation[] = [];
  let moves = 0;
  const opened = open(first);
  const running = loops(workers, paceMs, async (worker) => {
    await opened;
    const client = clients[worker] as ChaosClient;
    const polled = await client.once("GET", "/state/poll?prefix=bank/&wait=1&max=3&lease=1", { waitSeconds: 1 });
    if (polled instanceof Error || polled.status !== 200) return;
    for (const mover of polled.body as Mover[]) {
      if (Math.random() * deathOneIn < 1) continue;
      const [result] = mover.Results;
      const token = result?.Op === 1 ? (result.Data ?? null) : null;
      const chan = accounts[Math.floor(Math.random() * accounts.length)];
      const Selects = token === null ? anyToken : [{ ID: "1", Cases: [{ Op: 2, Chan: chan, Data: token }] }];
      const body = { Lock: mover.Lock, Data: { token, moves: mover.Data.moves + 1 }, Selects };
      const reply = await client.call("PUT", statePath(mover.ID), { body });
      if (reply.status === 200) moves++;
      else if (reply.status !== 409) found.push(wrong(`move by ${mover.ID}`, reply));
    }
  });
  return {
    name: "bank",
    stop: () => running.stop(),
    counts: () => ({ moves, tokens }),
    async violations() {
      const held = await Promise.all(Array.from({ length: movers }, (_, n) => heldBy(first, `bank/${n}`)));
      const inAccounts = await Promise.all(accounts.map((chan) => drain(first, chan)));
      return [...found, ...checkBank(names(), [...held, ...inAccounts].flat())];
    },
  };
}

/** @param places every token that was found, once for each place */
export function checkBank(issued: readonly string[], places: readonly string[]): Violation[] {
  const left = new Set(issued);
  const found: Violation[] = [];
  for (const token of places) {
    if (left.delete(token)) continue;
    const kind = issued.includes(token) ? "duplicated" : "phantom";
    found.push({ kind, what: `token ${token} is in ${kind === "phantom" ? "circulation" : "two places"}` });
  }
  for (const token of left) found.push({ kind: "lost", what: `token ${token} is gone` });
  return found;
}

function names(): string[] {
  return Array.from({ length: tokens }, (_, n) => `t${n}`);
}

async function open(client: ChaosClient): Promise<void> {
  for (const chan of accounts) await client.call("PUT", `/channel/${chan}`, { body: { Buffer: tokens } });
  for (const [n, token] of names().entries())
    await client.call("POST", `/channel/${accounts[n % accounts.length]}/send?wait=5`, {
      body: { Data: token },
      waitSeconds: 5,
    });
  for (let n = 0; n < movers; n++)
    await client.call("PUT", statePath(`bank/${n}`), { body: { Data: { token: null, moves: 0 }, Selects: anyToken } });
}

/** The token that a process has received and not passed on. */
async function heldBy(client: ChaosClient, id: string): Promise<string[]> {
  const { body } = await client.call("GET", statePath(id));
  return (body as Mover).Selects.flatMap(({ Cases, Result }) => {
    const sending = Cases.find(({ Op }) => Op === 2)?.Data;
    if (Result === undefined) return sending === undefined ? [] : [sending];
    // A send that is resolved has put its token into an account.
    return Result.Op === 1 && Result.Data !== undefined ? [Result.Data] : [];
  });
}

async function drain(client: ChaosClient, chan: string): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const { status, body } = await client.call("POST", `/channel/${chan}/recv?wait=0`);
    if (status !== 200) return found;
    found.push((body as { Data: string }).Data);
  }
}
