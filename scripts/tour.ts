/**
 * `npm run tour`: three real nodes on free ports, real clients, every step with the curl line it takes. Exit code 0 only
 * if every expectation held.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCluster, type ClusterChild } from "./cluster-child.js";
import type { ClusterFile } from "./cluster-file.js";
import { freeRun } from "./free-ports.js";
import { playPingPong, repair } from "./tour/ping-pong.js";
import { expect, heading, note } from "./tour/stage.js";
import { wokenByCallback, wokenByPoll, wokenByTimer } from "./tour/wake-ups.js";

async function play(dir: string, scripts: ClusterChild[]): Promise<void> {
  heading("Three nodes start");
  const port = await freeRun(3);
  note(`$ npm run cluster -- --nodes 3 --port ${port} --data ${dir}`);
  const cluster = await startCluster(["--nodes", "3", "--port", String(port), "--data", dir]);
  scripts.push(cluster);
  note(cluster.stdout.join("\n"));
  const [first, second, third] = cluster.nodes.map(({ api }) => api);
  if (first === undefined || second === undefined || third === undefined) throw new Error("there are not three nodes");
  const apis = [first, second, third] as const;
  const { webhookSecret } = JSON.parse(readFileSync(join(dir, "cluster.json"), "utf8")) as ClusterFile;

  await wokenByPoll(apis);
  await wokenByTimer(apis);
  await wokenByCallback(apis, webhookSecret);
  const victim = await playPingPong(cluster.nodes);
  scripts.push(await repair(dir, victim));

  heading("The cluster stops");
  const ends = await Promise.all(scripts.splice(0).map((script) => script.stop()));
  expect(
    ends.every(({ code }) => code === 0),
    "every process ended cleanly",
  );
}

const dir = mkdtempSync(join(tmpdir(), "slct-tour-"));
const scripts: ClusterChild[] = [];
const begin = performance.now();
try {
  await play(dir, scripts);
  rmSync(dir, { recursive: true });
  process.stdout.write(`\nThe tour is over: everything held (${((performance.now() - begin) / 1000).toFixed(1)} s).\n`);
} catch (error) {
  process.stdout.write(
    `\n✗ ${error instanceof Error ? error.message : String(error)}\n  Data and logs are kept: ${dir}\n`,
  );
  process.exitCode = 1;
} finally {
  await Promise.all(scripts.map((script) => script.stop()));
}
