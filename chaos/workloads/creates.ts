/** Creates: an acknowledged state is there at the end, with its data, and was created once. */
import { ChaosClient, type Target } from "../client.js";
import { loops, statePath, wrong, type Violation, type Workload } from "../workload.js";

export interface Listed {
  readonly ID: string;
  readonly Data?: { readonly value: number };
  readonly Version: number;
}

const workers = 3;
const paceMs = 30;

export function creates(target: Target): Workload {
  const clients = Array.from({ length: workers }, (_, n) => new ChaosClient(target, "create", n));
  const acknowledged = new Map<string, number>();
  const found: Violation[] = [];
  const running = loops(workers, paceMs, async (worker, round) => {
    const id = `create/${worker}/${round}`;
    const value = Math.floor(Math.random() * 1e9);
    const client = clients[worker] as ChaosClient;
    const body = { Data: { value }, Selects: [{ ID: "1", Cases: [{ Op: 1, Chan: id }] }] };
    const reply = await client.call("PUT", statePath(id), { body });
    if (reply.status !== 201 && reply.status !== 200) found.push(wrong(`create ${id}`, reply));
    else acknowledged.set(id, value);
  });
  return {
    name: "creates",
    stop: () => running.stop(),
    counts: () => ({ acknowledged: acknowledged.size }),
    async violations() {
      return [...found, ...checkCreates(acknowledged, await listAll(clients[0] as ChaosClient, "create/"))];
    },
  };
}

export function checkCreates(acknowledged: ReadonlyMap<string, number>, listed: readonly Listed[]): Violation[] {
  const found: Violation[] = [];
  const states = new Map<string, Listed>();
  for (const state of listed) {
    if (states.has(state.ID)) found.push({ kind: "duplicated", what: `${state.ID} is listed twice` });
    if (!acknowledged.has(state.ID)) found.push({ kind: "phantom", what: `${state.ID} was not created` });
    states.set(state.ID, state);
  }
  for (const [id, value] of acknowledged) {
    const state = states.get(id);
    if (state === undefined) found.push({ kind: "lost", what: `${id} was acknowledged and is gone` });
    else if (state.Data?.value !== value) found.push({ kind: "lost", what: `${id} lost ${value}: ${text(state)}` });
    else if (state.Version !== 1) found.push({ kind: "duplicated", what: `${id} changed: ${text(state)}` });
  }
  return found;
}

async function listAll(client: ChaosClient, prefix: string): Promise<Listed[]> {
  const listed: Listed[] = [];
  let cursor = "";
  do {
    const { body } = await client.call("GET", `/state?prefix=${encodeURIComponent(prefix)}&limit=1000${cursor}`);
    const page = body as { States: Listed[]; Cursor: string | null };
    listed.push(...page.States);
    cursor = page.Cursor === null ? "" : `&cursor=${encodeURIComponent(page.Cursor)}`;
  } while (cursor !== "");
  return listed;
}

function text(value: unknown): string {
  return JSON.stringify(value);
}
