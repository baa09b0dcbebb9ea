/** Timers: every acknowledged one fires, once, and not before its time. */
import { setTimeout as pause } from "node:timers/promises";
import { ChaosClient } from "./client.js";
import { loops, type Workload } from "./workload.js";

interface Fired {
  readonly ID: string;
  readonly Lock: string;
  readonly Selects: readonly { readonly Cases: readonly { readonly At: number }[] }[];
  readonly Results: readonly { readonly Op: number; readonly At: number }[];
}

export function timers(nodes: readonly string[], makers: number, collectors: number): Workload {
  const clients = Array.from({ length: makers + collectors }, (_, n) => new ChaosClient(nodes, `timer-${n}`, n));
  const armed = new Map<string, number>();
  const done = new Map<string, number>();
  const wrong: string[] = [];
  const make = loops(makers, async (worker, round) => {
    const id = `timer/${worker}/${round}`;
    const afterMs = Math.floor(Math.random() * 3000);
    const beganMs = Date.now();
    const { status } = await (clients[worker] as ChaosClient).call("PUT", `/state/${encodeURIComponent(id)}`, {
      Selects: [{ ID: "1", Cases: [{ Op: 3, After: afterMs }] }],
    });
    if (status === 200 || status === 201) armed.set(id, beganMs + afterMs);
    else wrong.push(`timer ${id}: ${status}`);
  });
  const collect = loops(collectors, async (worker) => {
    const client = clients[makers + worker] as ChaosClient;
    const polled = await client.try("GET", "/state/poll?prefix=timer/&wait=2&max=20&lease=2", { timeoutMs: 4500 });
    if (polled instanceof Error || polled.status !== 200) return client.turn();
    for (const state of polled.body as Fired[]) {
      const firedMs = state.Results[0]?.At ?? 0;
      if (firedMs < (state.Selects[0]?.Cases[0]?.At ?? Infinity)) wrong.push(`${state.ID} fired early at ${firedMs}`);
      const { status } = await client.call("PUT", `/state/${encodeURIComponent(state.ID)}`, {
        Lock: state.Lock,
        Selects: [],
      });
      if (status === 200) done.set(state.ID, (done.get(state.ID) ?? 0) + 1);
    }
  });
  return {
    name: "timers",
    async stop() {
      await make.stop();
      const end = performance.now() + 30_000;
      while (done.size < armed.size && performance.now() < end) await pause(20);
      await collect.stop();
    },
    counts: () => ({ armed: armed.size, fired: done.size }),
    violations() {
      for (const id of armed.keys()) if (!done.has(id)) wrong.push(`${id} never fired`);
      for (const [id, times] of done) if (times !== 1) wrong.push(`${id} was finished ${times} times`);
      return Promise.resolve(wrong);
    },
  };
}
