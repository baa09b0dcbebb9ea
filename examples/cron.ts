/**
 * Cron: a process that sleeps until the next time, starts what is due, and sleeps again. For years: a loop does not grow.
 */
import type { Client } from "slct/client";
import { process as durable } from "slct/sdk";

export interface Schedule {
  /** Of the job, which is started with the time it was due. */
  readonly job: string;
  /** Every so many ms, counted from midnight UTC: 3 600 000 is every full hour. */
  readonly everyMs: number;
  /** Runs that may be behind, after a long stop; older ones are left out. */
  readonly behindMax: number;
}

export const report = durable("report", { version: 1 }, async (p, due: number) => {
  const at = new Date(due).toISOString();
  return p.step("make", () => `${reports.push(at)}: report of ${at}`);
});

export const cron = durable("cron", { version: 1 }, async (p, { job, everyMs, behindMax }: Schedule) => {
  const after = (ms: number) => (Math.floor(ms / everyMs) + 1) * everyMs;
  await p.loop(after(p.now()), async (due, p) => {
    await p.at(due);
    // One process for each time: what takes long does not hold up the next, and none is started twice.
    p.spawn(report, due, { id: `${job}-${due}` });
    p.vars["last"] = new Date(due).toISOString();
    p.vars["next"] = new Date(after(due)).toISOString();
    return Math.max(after(due), after(p.now() - behindMax * everyMs));
  });
});

export const reports: string[] = [];
export const processes = [cron, report];

export async function* demo(client: Client): AsyncGenerator<string> {
  const job = `every-second-${crypto.randomUUID().slice(0, 8)}`;
  const { id } = await client.start(cron, { job, everyMs: 1000, behindMax: 10 });
  for (let [n, after, before] = [0, -1, ""]; n < 3;) {
    const { Vars, Version } = await client.getState(id, { after, wait: "10s" });
    after = Version;
    const last = (Vars?.["last"] as string | undefined) ?? "";
    if (last === before) continue;
    [n, before] = [n + 1, last];
    const { id: run } = await client.start(report, 0, { id: `${job}-${Date.parse(last)}` });
    yield (await client.result<string>(run)).replace(/ of .*/, "");
  }
  await client.cancel(id);
}
