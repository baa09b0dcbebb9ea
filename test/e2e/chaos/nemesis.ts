/**
 * Faults, one after the other, each healed before the next: kill -9 of the leader and of a follower, a stopped leader, a
 * stopped follower, two nodes at once, all of them.
 */
import { setTimeout as pause } from "node:timers/promises";
import { isAlive, waitFor, type TestCluster } from "../harness.js";
import { ChaosClient } from "./client.js";

export interface Fault {
  readonly name: string;
  /** Until a write was acknowledged again; only where the leader was killed. */
  readonly resumedMs?: number;
}

const stoppedMs = 3000;
const quietMs = 1500;
const probeTimeoutMs = 250;

type Strike = (cluster: TestCluster, flags: readonly string[]) => Promise<number | undefined>;

const strikes: Readonly<Record<string, Strike>> = {
  "kill leader": async (cluster) => {
    const leader = await cluster.leader();
    const resumedMs = await killAndProbe(cluster, leader);
    await cluster.start(leader);
    return resumedMs;
  },
  "kill follower": async (cluster) => {
    const follower = await someFollower(cluster);
    await cluster.kill(follower, "SIGKILL");
    await pause(quietMs);
    await cluster.start(follower);
    return undefined;
  },
  "stop leader": async (cluster) => stopped(cluster, await cluster.leader()),
  "stop follower": async (cluster) => stopped(cluster, await someFollower(cluster)),
  "kill two": async (cluster) => {
    const leader = await cluster.leader();
    const follower = await someFollower(cluster);
    await Promise.all([cluster.kill(leader, "SIGKILL"), cluster.kill(follower, "SIGKILL")]);
    await pause(quietMs);
    await Promise.all([cluster.start(leader), cluster.start(follower)]);
    return undefined;
  },
  "restart all": async (cluster, flags) => {
    await cluster.stopAll();
    await cluster.startAll(flags);
    return undefined;
  },
  "kill all": async (cluster, flags) => {
    await Promise.all(
      cluster.ids.filter((id) => isAlive(cluster.member(id).pid)).map((id) => cluster.kill(id, "SIGKILL")),
    );
    await cluster.stopAll();
    await cluster.startAll(flags);
    return undefined;
  },
};

/** Every kind of fault in turn, for at least `seconds`, the round begun being finished. */
export async function nemesis(cluster: TestCluster, flags: readonly string[], seconds: number): Promise<Fault[]> {
  const faults: Fault[] = [];
  const end = performance.now() + seconds * 1000;
  const order = [
    "kill leader",
    "kill follower",
    "stop leader",
    "kill leader",
    "stop follower",
    "kill two",
    "restart all",
    "kill leader",
    "kill all",
  ];
  for (let n = 0; performance.now() < end || n < order.length; n++) {
    const name = order[n % order.length] ?? "";
    const beganMs = performance.now();
    const resumedMs = await strikes[name]?.(cluster, flags);
    console.log(`${name}: ${Math.round(performance.now() - beganMs)} ms, writes resumed after ${resumedMs ?? "-"} ms`);
    faults.push(resumedMs === undefined ? { name } : { name, resumedMs });
    await pause(quietMs);
  }
  return faults;
}

async function killAndProbe(cluster: TestCluster, leader: string): Promise<number> {
  const survivors = cluster.ids.filter((id) => id !== leader).map((id) => cluster.member(id).api);
  const probe = new ChaosClient(survivors, `probe-${Math.random()}`, 0);
  await cluster.kill(leader, "SIGKILL");
  const killedMs = performance.now();
  return waitFor("writes after the leader was killed", async () => {
    probe.turn();
    const body = { Selects: [{ ID: "1", Cases: [{ Op: 1, Chan: "probe" }] }] };
    const reply = await probe.try("PUT", `/state/probe-${Math.random()}`, { body, timeoutMs: probeTimeoutMs });
    return !(reply instanceof Error) && reply.status === 201 && performance.now() - killedMs;
  });
}

async function stopped(cluster: TestCluster, id: string): Promise<undefined> {
  await cluster.kill(id, "SIGSTOP");
  await pause(stoppedMs);
  await cluster.kill(id, "SIGCONT");
  return undefined;
}

async function someFollower(cluster: TestCluster): Promise<string> {
  const leader = await cluster.leader();
  return cluster.ids.find((id) => id !== leader) ?? leader;
}
