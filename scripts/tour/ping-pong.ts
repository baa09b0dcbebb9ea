/**
 * Second half of the tour: two processes in two languages play ping-pong through all nodes while the leader is killed.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { NodeOut } from "../../api/contract.js";
import { startCluster, type ClusterChild, type RunningMember } from "../cluster-child.js";
import { leaderAt, poll, readCluster } from "../cluster-status.js";
import { at, curl, expect, heading, note } from "./stage.js";
import { isEmpty } from "./wake-ups.js";

const rounds = 40;
const killAtRound = 12;
const gameMs = 90_000;
const repairMs = 60_000;

/** @returns the node that was killed */
export async function playPingPong(nodes: readonly RunningMember[]): Promise<RunningMember> {
  heading(`Ping-pong, ${rounds} rounds: bash and curl against Python, each request through another node`);
  const apis = nodes.map(({ api }) => api);
  const ping = play("ping", "bash", "ping.sh", apis);
  const pong = play("pong", "python3", "pong.py", [...apis].reverse());
  await untilRound(apis[0] ?? "", killAtRound);
  const victim = await killLeader(nodes);
  const codes = await Promise.all([ping, pong]);
  expect(
    codes.every((code) => code === 0),
    "both programs played to the end",
  );
  const survivor = nodes.find(({ id }) => id !== victim.id)?.api ?? "";
  await checkScore(survivor);
  return victim;
}

/** Brings the killed node back and compares what the nodes have. */
export async function repair(dir: string, victim: RunningMember): Promise<ClusterChild> {
  heading(`${victim.id} comes back`);
  note(`$ npm run cluster -- --data ${dir} --only ${victim.id}`);
  const script = await startCluster(["--data", dir, "--only", victim.id]);
  const agreed = await poll(async () => agreement(await readCluster(victim.api)), repairMs);
  await curl("GET", `${victim.api}/cluster`);
  expect(agreed !== undefined, "all nodes are there");
  expect(
    agreed !== undefined,
    `their records have one hash: ${agreed?.StateHash?.Hash} at index ${agreed?.StateHash?.Index}`,
  );
  return script;
}

/** One of the nodes, if all of them are reachable and have the same records at the same index. */
function agreement(nodes: readonly NodeOut[] | undefined): NodeOut | undefined {
  const hashes = new Set(
    nodes?.map(({ StateHash }) => (StateHash === undefined ? "" : `${StateHash.Index} ${StateHash.Hash}`)),
  );
  const complete =
    nodes?.length === 3 && nodes.every(({ Reachable, StateHash }) => Reachable && StateHash !== undefined);
  return complete === true && hashes.size === 1 ? nodes[0] : undefined;
}

/** Runs one of the two programs; resolves with its exit code. */
async function play(name: string, command: string, file: string, apis: readonly string[]): Promise<number | null> {
  const program = fileURLToPath(new URL(`../../../scripts/tour/${file}`, import.meta.url));
  note(`$ BASES='${apis.join(" ")}' ROUNDS=${rounds} ${command} scripts/tour/${file}`);
  const child = spawn(command, [program], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, BASES: apis.join(" "), ROUNDS: String(rounds) },
    timeout: gameMs,
  });
  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on("line", (line) => note(`${name} │ ${line}`));
  }
  const [code] = (await once(child, "close")) as [number | null];
  return code;
}

async function untilRound(api: string, round: number): Promise<void> {
  const reached = await poll(async () => {
    const response = await fetch(`${api}/state/tour-ping`);
    if (response.status !== 200) return undefined;
    const { Data } = (await response.json()) as { Data: { Round: number } };
    return Data.Round >= round ? Data.Round : undefined;
  }, gameMs);
  expect(reached !== undefined && reached < rounds, `the game is in round ${reached} of ${rounds}`);
}

async function killLeader(nodes: readonly RunningMember[]): Promise<RunningMember> {
  const leader = await leaderAt(nodes[0]?.api ?? "");
  const victim = nodes.find(({ id }) => id === leader);
  if (victim === undefined) throw new Error("the cluster has no leader");
  note(`$ kill -9 ${victim.pid}    # ${victim.id}, the leader`);
  process.kill(victim.pid, "SIGKILL");
  return victim;
}

async function checkScore(api: string): Promise<void> {
  const ping = (await curl("GET", `${api}/state/tour-ping`)).body;
  const sum = (rounds * (rounds + 1)) / 2;
  expect(at(ping, "Status") === "done" && at(ping, "Data", "Round") === rounds, `ping counts ${rounds} rounds`);
  expect(at(ping, "Data", "Sum") === sum, `the numbers that came back sum up to ${sum}`);
  const pong = (await curl("GET", `${api}/state/tour-pong`)).body;
  const all = JSON.stringify(Array.from({ length: rounds }, (_, n) => n + 1));
  expect(at(pong, "Status") === "done", "pong ended when the channel was closed");
  expect(JSON.stringify(at(pong, "Data", "Seen")) === all, `pong has seen 1…${rounds}, each once, in order`);
  const channels = at((await curl("GET", `${api}/channel?prefix=tour-`)).body, "Channels");
  const rest = Array.isArray(channels) ? (channels as readonly object[]) : [];
  expect(rest.length === 1 && at(rest[0] as never, "Chan") === "tour-ping", "the closed channel is the only one left");
  const counts = ["Values", "Senders", "Receivers"].map((key) => at(rest[0] as never, key));
  expect(
    counts.every((count) => count === 0),
    "nothing is left on it",
  );
  const waiting = await curl("GET", `${api}/state?prefix=tour-&status=waiting`);
  expect(isEmpty(at(waiting.body, "States")), "no process waits any more");
}
