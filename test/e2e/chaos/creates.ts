/** Creates: an acknowledged state is there at the end, with its data, and was created once. */
import { ChaosClient } from "./client.js";
import { loops, type Workload } from "./workload.js";

export function creates(nodes: readonly string[], workers: number): Workload {
  const clients = Array.from({ length: workers }, (_, n) => new ChaosClient(nodes, `create-${n}`, n));
  const acknowledged = new Map<string, number>();
  const wrong: string[] = [];
  const running = loops(workers, async (worker, round) => {
    const id = `create/${worker}/${round}`;
    const value = Math.floor(Math.random() * 1e9);
    const client = clients[worker] as ChaosClient;
    const body = { Data: { value }, Selects: [{ ID: "1", Cases: [{ Op: 1, Chan: id }] }] };
    const { status, body: answer } = await client.call("PUT", `/state/${encodeURIComponent(id)}`, body);
    if (status !== 201 && status !== 200) wrong.push(`create ${id}: ${status} ${JSON.stringify(answer)}`);
    else acknowledged.set(id, value);
  });
  return {
    name: "creates",
    stop: () => running.stop(),
    counts: () => ({ acknowledged: acknowledged.size }),
    async violations() {
      const found = await listAll(clients[0] as ChaosClient, "create/");
      for (const [id, value] of acknowledged) {
        const state = found.get(id);
        if (state === undefined) wrong.push(`${id} was acknowledged and is gone`);
        else if (state.Data?.value !== value || state.Version !== 1)
          wrong.push(`${id} differs: ${JSON.stringify(state)}`);
      }
      return wrong;
    },
  };
}

interface Listed {
  readonly ID: string;
  readonly Data?: { readonly value: number };
  readonly Version: number;
}

async function listAll(client: ChaosClient, prefix: string): Promise<Map<string, Listed>> {
  const found = new Map<string, Listed>();
  let cursor = "";
  do {
    const { body } = await client.call("GET", `/state?prefix=${encodeURIComponent(prefix)}&limit=100${cursor}`);
    const page = body as { States: Listed[]; Cursor: string | null };
    for (const state of page.States) found.set(state.ID, state);
    cursor = page.Cursor === null ? "" : `&cursor=${encodeURIComponent(page.Cursor)}`;
  } while (cursor !== "");
  return found;
}
