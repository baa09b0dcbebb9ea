/**
 * `createTestCluster`: the service in this process, for tests of processes and of programs that use it.
 *
 * Engine, waits, validation, HTTP and JSON are those of production; disk, Raft and the clock are not there. Time stands
 * still until {@link TestCluster.advance} moves it.
 */
import { pino } from "pino";
import { Registry } from "prom-client";
import { defaultLimits } from "../../api/rules.js";
import { createServer } from "../../api/server.js";
import { createClient, type Client, type ClientOptions } from "../client.js";
import { SlctError } from "../client/errors.js";
import { durationMs, type Duration } from "../client/duration.js";
import type { Fetch } from "../client/transport.js";
import { worker, type Worker, type WorkerOptions } from "../worker/worker.js";
import { memoryFetch } from "./memory-fetch.js";
import { MemoryNode } from "./memory-node.js";
import { VirtualTime } from "./virtual-time.js";

export interface TestClusterOptions {
  /** Decides which of several ready cases fires; default 1. */
  readonly seed?: number;
  /** Hand-outs without a put-back before a state is paused; default 10. */
  readonly attemptsMax?: number;
}

/** What becomes of a request: `drop` it before it arrives, or `lose` its answer. */
export type Fault = "drop" | "lose" | undefined;

export interface SentRequest {
  readonly method: string;
  /** With query, still encoded. */
  readonly path: string;
  readonly body: string | undefined;
}

export interface TestWorker extends Worker {
  /** As `kill -9`: nothing that it sends from now on arrives, and nothing arrives at it. */
  kill(): void;
}

/** Real time for what runs at one moment; then something does not end. */
const quietWithinMs = 30_000;
/** Turns of the event loop in which nothing happens. */
const quietTurns = 4;
const endpoint = "http://memory";
/** Requests that may fail while time stands still: clients try again at once, and a loop over errors has to end. */
const failuresMax = 200;
/** Clients here neither hurry nor give up: time is not theirs. */
const patience = { timeoutMs: Infinity, attemptTimeoutMs: Infinity, pauseMs: 0, pauseMaxMs: 0 } as const;

export class TestCluster {
  /** Asks this cluster. */
  readonly client: Client;
  readonly time = new VirtualTime();
  /** Looks at every request before it is sent. */
  onRequest: (request: SentRequest) => Fault = () => undefined;
  readonly #node: MemoryNode;
  readonly #memory: ReturnType<typeof memoryFetch>;
  readonly #workers = new Set<TestWorker>();
  #failures = { atMs: 0, count: 0 };
  #isClosed = false;

  constructor({ seed = 1, attemptsMax }: TestClusterOptions = {}) {
    const settings = attemptsMax === undefined ? {} : { attemptsMax };
    this.#node = new MemoryNode({ seed, time: this.time, settings });
    const server = createServer(this.#node, {
      ...{ limits: defaultLimits, logger: pino({ level: "silent" }), registry: new Registry() },
      checkCallback: () => undefined,
    });
    this.#memory = memoryFetch(server);
    this.client = this.newClient();
  }

  /** The `fetch` that leads here, whatever the host. */
  readonly fetch: Fetch = async (input, init) => {
    if (this.#isClosed) throw new SlctError("unreachable", "the test cluster is closed");
    const url = new URL(input);
    const { method = "GET", body } = init;
    const fault = this.onRequest({ method, path: url.pathname + url.search, body: body as string | undefined });
    if (fault === "drop") throw this.#failure("dropped by the test");
    const response = await this.#memory.fetch(input, init);
    if (response.status >= 500) this.#failure(`status ${response.status}`);
    if (fault !== "lose") return response;
    await response.body?.cancel();
    throw this.#failure("answer lost by the test");
  };

  newClient(options: Partial<ClientOptions> = {}): Client {
    return createClient({ endpoints: endpoint, fetch: this.fetch, clock: this.time, retry: patience, ...options });
  }

  /** A worker on this cluster. Process code that is not deterministic throws. */
  worker(options: Omit<WorkerOptions, "endpoints" | "client" | "clock">): TestWorker {
    const life = new AbortController();
    const fetch: Fetch = (input, init) => this.#whileAlive(life.signal, input, init);
    const client = this.newClient({ fetch, ...(options.codec && { codec: options.codec }) });
    const inner = worker({ guard: "throw", ...options, client, clock: this.time });
    const started: TestWorker = {
      get running() {
        return life.signal.aborted ? 0 : inner.running;
      },
      stop: () => inner.stop(),
      stopped: inner.stopped,
      kill: () => {
        this.#workers.delete(started);
        life.abort();
      },
    };
    this.#workers.add(started);
    return started;
  }

  /**
   * Resolves when nothing moves any more: no request is under way but those that wait, no process runs.
   * @throws Error after 30 s of the real clock
   */
  async untilQuiescent(): Promise<void> {
    const end = performance.now() + quietWithinMs;
    for (let quiet = 0; quiet < quietTurns;) {
      await new Promise((resolve) => setImmediate(resolve));
      const running = [...this.#workers].reduce((sum, one) => sum + one.running, 0);
      const requests = this.#memory.active - this.#node.parked;
      quiet = requests <= 0 && running === 0 ? quiet + 1 : 0;
      if (performance.now() > end) {
        throw new Error(
          `not quiescent after ${quietWithinMs} ms: ${running} processes run, ${requests} requests are answered`,
        );
      }
    }
  }

  /** Moves time on; everything that is due meanwhile happens, in order, each when all before it has come to rest. */
  async advance(duration: Duration): Promise<void> {
    await this.untilQuiescent();
    const end = this.time.now() + durationMs(duration);
    for (let next = this.time.nextMs; next !== undefined && next <= end; next = this.time.nextMs) {
      this.time.step(next);
      await this.untilQuiescent();
    }
    this.time.step(end);
    while (this.time.endPatient()) await this.untilQuiescent();
  }

  /** Whoever waits for it is told `unreachable`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const one of this.#workers) one.kill();
    this.#node.close();
    this.#memory.close();
    await Promise.resolve();
  }

  /** @throws SlctError, which is not tried again, when there are too many of them */
  #failure(message: string): TypeError {
    const atMs = this.time.now();
    this.#failures = { atMs, count: this.#failures.atMs === atMs ? this.#failures.count + 1 : 1 };
    if (this.#failures.count <= failuresMax) return new TypeError(`fetch failed: ${message}`);
    throw new SlctError("unreachable", `${failuresMax} requests failed while time stood still: ${message}`);
  }

  /** A request of a dead worker is broken off, and nobody is there to learn of it. */
  async #whileAlive(life: AbortSignal, input: string, init: RequestInit): Promise<Response> {
    if (life.aborted) return never();
    const signal = init.signal ? AbortSignal.any([init.signal, life]) : life;
    try {
      const response = await this.fetch(input, { ...init, signal });
      return life.aborted ? never() : response;
    } catch (error) {
      if (life.aborted) return never();
      throw error;
    }
  }
}

/** ```ts
 * const cluster = createTestCluster({ seed: 7 });
 * cluster.worker({ processes: [order] });
 * const started = await cluster.client.start(order, { pizza: "margherita" });
 * await cluster.advance("3 days");
 * ```
 */
export function createTestCluster(options: TestClusterOptions = {}): TestCluster {
  return new TestCluster(options);
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
