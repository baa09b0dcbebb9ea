/**
 * The workers of a node: started, started again when one ends, asked for their metrics, ended.
 *
 * They are processes because node:cluster lets processes share a port, not threads: this process accepts and hands every
 * connection to one of them in turn, and sees nothing of what comes over it. docs/decisions/025-ingress-workers.md
 */
import cluster, { type Worker as Process } from "node:cluster";
import type { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { AggregatorRegistry, type Registry } from "prom-client";
import type { Node } from "../cluster/types.js";
import type { CoreCalls, WorkerCalls } from "./calls.js";
import { coreAnswers } from "./core-answers.js";
import { closeWhatIsLost } from "./handover.js";
import { Line } from "./line.js";

/** Of the stream between a worker and the core, in the worker. The first three and the channel of node:cluster are before it. */
export const lineFd = 4;
/** A worker that ended is replaced at once, but none more often than this. */
const restartMs = 1000;
/** A worker that says nothing for so long counts with what it said last. */
const metricsMs = 1000;
/** Workers end their requests within 1.5 s; after this they are cut off. */
const drainMs = 2000;

export interface PoolOptions {
  /** The program of a worker, and its arguments. */
  readonly file: string;
  readonly args: readonly string[];
  readonly size: number;
  /** Of this process. */
  readonly registry: Registry;
  readonly logger: Logger;
}

interface Worker {
  readonly process: Process;
  readonly line: Line<WorkerCalls, CoreCalls>;
  readonly ended: Promise<string>;
  readonly startedMs: number;
  /** As it said them last. */
  metrics: readonly object[];
}

export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #workers = new Set<Worker>();
  readonly #closing = new AbortController();
  /** Of those that have ended: a counter never goes back. */
  #retired: readonly object[] = [];

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * Starts all of them. Resolves when they serve.
   * @throws Error when one does not
   */
  async open(node: Node, wanted: number): Promise<{ readonly port: number; close(): Promise<void> }> {
    const { file, args, size } = this.#options;
    cluster.schedulingPolicy = cluster.SCHED_RR;
    cluster.setupPrimary({
      ...{ exec: file, args: [...args], execArgv: [] },
      stdio: ["ignore", "inherit", "inherit", "ipc", "pipe"],
    });
    const workers = Array.from({ length: size }, () => this.#start(node));
    // All get the same one, even if any will do.
    const [port = wanted] = await Promise.all(workers.map(({ line }) => line.call("listen", [wanted])));
    for (const worker of workers) void this.#keep(worker, node, wanted);
    return { port, close: () => this.#close() };
  }

  /** Prometheus text of this process and all workers, as one. */
  async metrics(): Promise<string> {
    const { registry } = this.#options;
    await Promise.all([...this.#workers].map(askMetrics));
    const living = [...this.#workers].map(({ metrics }) => metrics);
    return AggregatorRegistry.aggregate([await registry.getMetricsAsJSON(), this.#retired, ...living]).metrics();
  }

  /** Ends them all, the requests under way first; after two seconds these too. */
  async #close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(
      [...this.#workers].map(async ({ process, line, ended }) => {
        await within(drainMs, line.call("drain", []));
        line.close();
        await within(drainMs, ended);
        process.process.kill("SIGKILL");
      }),
    );
  }

  /** @throws Error when the system has no room for it */
  #start(node: Node): Worker {
    const core = coreAnswers(node);
    const process = cluster.fork();
    closeWhatIsLost(process.process);
    const ended = endOf(process);
    const stream = process.process.stdio[lineFd] as Socket;
    const line = new Line<WorkerCalls, CoreCalls>(stream, {
      ...{ answers: core.answers, holdsBack: true, onClose: () => core.end() },
    });
    const worker: Worker = { process, line, ended, startedMs: performance.now(), metrics: [] };
    this.#workers.add(worker);
    return worker;
  }

  /** As long as the node runs there is a worker in this place. */
  async #keep(first: Worker, node: Node, port: number): Promise<void> {
    const { signal } = this.#closing;
    const isOpen = () => !signal.aborted;
    for (let worker: Worker | undefined = first; isOpen(); worker = this.#replace(node, port)) {
      const startedMs = worker?.startedMs ?? performance.now();
      if (worker !== undefined) await this.#untilEnded(worker);
      const restMs = Math.max(0, restartMs - (performance.now() - startedMs));
      await pause(restMs, undefined, { signal }).catch(() => undefined);
      if (!isOpen()) return;
    }
  }

  async #untilEnded(worker: Worker): Promise<void> {
    const { logger } = this.#options;
    const { pid } = worker.process.process;
    logger.info({ event: "worker_started", pid }, "a worker was started");
    const how = await worker.ended;
    worker.line.close();
    this.#workers.delete(worker);
    this.#retired = AggregatorRegistry.aggregate([this.#retired, worker.metrics]).getMetricsAsArray();
    if (!this.#closing.signal.aborted)
      logger.error({ event: "worker_ended", pid, how }, "a worker ended and is replaced");
  }

  /** Undefined when that does not succeed now. */
  #replace(node: Node, port: number): Worker | undefined {
    const { logger } = this.#options;
    const onFailure = (error: unknown) => {
      logger.error({ event: "worker_failed", err: error }, "a worker cannot serve");
      return undefined;
    };
    try {
      const worker = this.#start(node);
      worker.line.call("listen", [port]).catch((error: unknown) => {
        worker.process.process.kill("SIGKILL");
        onFailure(error);
      });
      return worker;
    } catch (error) {
      return onFailure(error);
    }
  }
}

/** Resolves with a description of how it ended. */
function endOf(process: Process): Promise<string> {
  return new Promise((resolve) => {
    process.once("exit", (code, signal) => resolve(code === null ? `signal ${signal}` : `exit code ${code}`));
    process.on("error", ({ message }) => {
      // It did not begin, or a connection could not be handed to it.
      if (process.process.pid === undefined) resolve(message);
      else process.process.kill("SIGKILL");
    });
  });
}

/** What it does not say in time, or at all, it said before. */
async function askMetrics(worker: Worker): Promise<void> {
  worker.metrics = (await within(metricsMs, worker.line.call("metrics", []))) ?? worker.metrics;
}

/** Undefined when it takes longer, or fails. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const patience = new AbortController();
  const late = pause(ms, undefined, { signal: patience.signal }).catch(() => undefined);
  try {
    return await Promise.race([promise.catch(() => undefined), late]);
  } finally {
    patience.abort();
  }
}
