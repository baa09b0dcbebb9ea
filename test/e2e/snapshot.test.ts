/**
 * A node that was away until the others had cut their logs comes back by a snapshot, under load, and is killed in the middle
 * of it: it goes on where it was. Reliability 30, 31, H8, H17; L6.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { isAlive, TestCluster, waitFor } from "./harness.js";
import { Load } from "./load.js";
import { agreedHash } from "./replicas.js";

/** Logs are cut at once, and records flushed often. */
const flags = ["--log-segment-bytes", "1048576", "--log-tail-bytes", "0", "--overlay-bytes-max", "1048576"];
/** A snapshot of this many states of 100 kB takes long enough to die in it. */
const states = 250;
const filling = randomBytes(75_000).toString("base64");
const writers = 8;
/** A kill may come too late. */
const killsMax = 5;

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.close();
  cluster = undefined;
});

interface Said {
  readonly event?: string;
  readonly pid?: number;
  readonly resumed?: boolean;
  readonly records?: number;
}

/** What the node has logged, from the line `from` on. */
function said(of: TestCluster, id: string, from = 0): Said[] {
  const file = join(of.dir, id, "node.log");
  // The last line may be half written.
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(from, -1) : [];
  return lines.map((line) => JSON.parse(line) as Said);
}

async function fill(of: TestCluster, round: number): Promise<void> {
  let next = 0;
  const write = async () => {
    for (let n = next++; n < states; n = next++) {
      const Data = `${round} ${n} ${filling}`;
      await of.call(`/state/big-${n}-${round}`, { method: "PUT", body: { Data, Selects: [] } });
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
}

/** Starts the node and kills it when a part of the snapshot is here. @returns whether that was in the middle of it */
async function dieReceiving(of: TestCluster, id: string): Promise<boolean> {
  const from = said(of, id).length;
  // The script waits for a node that is ready, and this one never is.
  const started = of.start(id, flags).catch(() => undefined);
  const heard = (event: string) => said(of, id, from).find((one) => one.event === event);
  await waitFor("a part of the snapshot", () => heard("snapshot.progress"));
  const pid = heard("serving")?.pid ?? heard("snapshot.progress")?.pid ?? 0;
  process.kill(pid, "SIGKILL");
  await waitFor("its end", () => !isAlive(pid));
  await started;
  return heard("snapshot.received") === undefined;
}

test("H8 H17 a node that was away gets a snapshot under load, dies in the middle of it, and goes on with it", async () => {
  cluster = await TestCluster.open(3, flags);
  const leader = await cluster.leader();
  const away = cluster.ids.find((id) => id !== leader) ?? "";
  const load = new Load(cluster, 2);
  let died = false;
  for (let kills = 0; !died; kills++) {
    expect(kills).toBeLessThan(killsMax);
    if (kills === 0) await cluster.kill(away, "SIGKILL");
    await fill(cluster, kills);
    died = await dieReceiving(cluster, away);
  }
  const from = said(cluster, away).length;
  await cluster.start(away, flags);
  expect(said(cluster, away, from).map(({ event }) => event)).toContain("snapshot.installed");
  const sent = cluster.ids.flatMap((id) => said(cluster as TestCluster, id));
  expect(sent.some(({ event, resumed }) => event === "snapshot.sending" && resumed === true)).toBe(true);
  await load.stop();
  expect(await load.missing()).toEqual([]);
  const path = `/state/big-${states - 1}-0?consistency=stale`;
  const { body } = await cluster.call<{ Data: string }>(path, { node: away, once: true });
  expect(body.Data).toBe(`0 ${states - 1} ${filling}`);
  await agreedHash(cluster);
});
