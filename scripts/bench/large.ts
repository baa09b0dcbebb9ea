/**
 * Large states written as fast as it goes, and small requests beside them that must not wait for it.
 */
import type { Connection } from "./connection.js";
import type { Found, Value } from "./figure.js";
import { summarize } from "./latency.js";
import { untilTaken } from "./loading.js";
import { closedLoop, machineClock, openLoop, Samples } from "./load.js";
import { isChosen, type BenchOptions } from "./options.js";
import type { SlctCluster } from "./slct.js";
import { usageOf } from "./usage.js";
import { expectAnswer, freshPrefix, textOf, type Step } from "./workload.js";
import { create } from "./workloads.js";

/** What a body holds besides its `Data` must fit below the limit of 4 MiB. */
const sizes: readonly (readonly [name: string, bytes: number])[] = [
  ["100 KB", 100 * 1024],
  ["1 MB", 1024 * 1024],
  ["4 MB", 4 * 1024 * 1024 - 1024],
];
const writers = 8;
const smallPerSecond = 100;
const smallConnections = 16;
const watchMs = 100;

export async function large(cluster: SlctCluster, options: BenchOptions, found: Found): Promise<void> {
  for (const [name, bytes] of sizes) {
    if (isChosen(name, options.only)) found(`${name}, c=${writers}`, await ofSize(cluster, bytes, options));
  }
}

async function ofSize(cluster: SlctCluster, bytes: number, options: BenchOptions): Promise<Record<string, Value>> {
  const big = { step: largeCreate(bytes) };
  const small = create("create 256 B", 256, smallConnections);
  const open = (count: number) => Promise.all(Array.from({ length: count }, (_, n) => cluster.open(n)));
  const [bigConnections, smallConnections_] = [await open(writers), await open(smallConnections)];
  const startMs = performance.now();
  const fromMs = startMs + options.warmupSeconds * 1000;
  const window = { fromMs, toMs: fromMs + options.seconds * 1000 };
  const [bigSamples, smallSamples] = [new Samples(window), new Samples(window)];
  const rssMaxMiB = cluster.pids.map(() => 0);
  const watch = setInterval(() => {
    cluster.pids.forEach((pid, n) => (rssMaxMiB[n] = Math.max(rssMaxMiB[n] ?? 0, usageOf(pid).rssMiB)));
  }, watchMs);
  try {
    const clock = machineClock;
    await Promise.all([
      closedLoop({ connections: bigConnections, workload: big, samples: bigSamples, clock }),
      openLoop(
        { connections: smallConnections_, workload: small, samples: smallSamples, clock },
        { perSecond: smallPerSecond, startMs },
      ),
    ]);
  } finally {
    clearInterval(watch);
    for (const connection of [...bigConnections, ...smallConnections_]) connection.close();
  }
  const smallSummary = summarize(smallSamples.latenciesMs);
  return {
    megabytesPerSecond: (bigSamples.operations * bytes) / 1e6 / options.seconds,
    ...{ perSecond: bigSamples.operations / options.seconds, ...summarize(bigSamples.latenciesMs), rssMaxMiB },
    ...{ smallP50Ms: smallSummary.p50Ms, smallP99Ms: smallSummary.p99Ms, smallMaxMs: smallSummary.maxMs },
  };
}

function largeCreate(bytes: number): Step<Connection> {
  const prefix = freshPrefix("large");
  const body = `{"Data":"${textOf(bytes)}","Selects":[{"ID":"1","Cases":[{"Op":1}]}]}`;
  return async (connection, worker, round) => {
    const id = `${prefix}-${worker}-${round}`;
    const answer = await untilTaken(connection, `/state/${id}`, body);
    expectAnswer(answer.status === 201 && answer.body.includes(`"ID":"${id}"`), "create", answer.body);
    return 1;
  };
}
