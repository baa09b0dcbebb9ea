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
import { createClient, type Client, type ClientOptions, type StateOut } from "../client.js";
import { labelOfBodies } from "../client/cases.js";
import { SlctError } from "../client/errors.js";
import { durationMs, type Duration } from "../client/duration.js";
import { cancelSelect } from "../client/process-data.js";
import type { Fetch } from "../client/transport.js";
import { Random } from "../process/random.js";
import { worker, type Worker, type WorkerOptions } from "../worker/worker.js";
import { memoryFetch } from "./memory-fetch.js";
import { MemoryNode } from "./memory-node.js";
import { VirtualTime } from "./virtual-time.js";

/** Options of {@link createTestCluster}. */
export interface TestClusterOptions {
  /** Decides which of several ready cases fires; default 1. */
  readonly seed?: number;
  /** Hand-outs without a put-back before a state is paused; default 10. */
  readonly attemptsMax?: number;
  /** Workers keep nothing in memory: at every hand-out code runs again from its top. */
  readonly alwaysReplay?: boolean;
}

/** What becomes of a request: `drop` it before it arrives, `lose` its answer, or `kill` its worker when it has arrived. */
export type Fault = "drop" | "lose" | "kill" | undefined;

/** A request that a client or worker is about to send. */
export interface SentRequest {
  readonly method: string;
  /** With query, still encoded. */
  readonly path: string;
  readonly body: string | undefined;
  /** Whose it is, if it is a worker's. */
  readonly worker?: TestWorker;
}

/** A worker that can be killed. */
export interface TestWorker extends Worker {
  /** As `kill -9`: nothing that it sends from now on arrives, and nothing arrives at it. */
  kill(): void;
}

/** Real time for what runs at one moment; then something does not end. */
const quietWithinMs = 30_000;
/** Turns of the event loop in which nothing happens. */
const quietTurns = 4;
/** And in which whoever waits for rest may begin something. */
const idleTurns = 8;
const endpoint = "http://memory";
/** Requests that may fail while time stands still: clients try again at once, and a loop over errors has to end. */
const failuresMax = 200;
/** Clients here neither hurry nor give up: time is not theirs. */
const patience = { timeoutMs: Infinity, attemptTimeoutMs: Infinity, pauseMs: 0, pauseMaxMs: 0 } as const;

/** The service in this process. Time stands still until it is moved. */
export class TestCluster {
  /** Asks this cluster. */
  readonly client: Client;
  /** The clock of service, clients and workers. */
  readonly time = new VirtualTime();
  /** Looks at every request before it is sent, and may hold it back. */
  onRequest: (request: SentRequest) => Fault | Promise<Fault> = () => undefined;
  readonly #node: MemoryNode;
  readonly #memory: ReturnType<typeof memoryFetch>;
  readonly #workers = new Set<TestWorker>();
  readonly #options: TestClusterOptions;
  #held = 0;
  /** Since it began. */
  #sent = 0;
  #seeds = 0;
  /** Calls of {@link advance} that run. */
  #advancing = 0;
  #failures = { atMs: 0, count: 0 };
  #isClosed = false;

  constructor(options: TestClusterOptions = {}) {
    const { seed = 1, attemptsMax } = options;
    this.#options = options;
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
  readonly fetch: Fetch = (input, init) => this.#send(input, init);

  /** Another client of this cluster. */
  newClient(options: Partial<ClientOptions> = {}): Client {
    const newSeed = () => new Random(seedText(this.#options.seed), `process ${++this.#seeds}`).hex();
    const own = { endpoints: endpoint, fetch: this.fetch, clock: this.time, retry: patience, newSeed };
    return createClient({ ...own, ...options });
  }

  /** A worker on this cluster. Process code that is not deterministic throws. */
  worker(options: Omit<WorkerOptions, "endpoints" | "client" | "clock">): TestWorker {
    const life = new AbortController();
    const fetch: Fetch = (input, init) => this.#whileAlive(life.signal, () => started, input, init);
    const client = this.newClient({ fetch, ...(options.codec && { codec: options.codec }) });
    const replayed = this.#options.alwaysReplay ? { cached: 0 } : {};
    const inner = worker({ guard: "throw", ...replayed, ...options, client, clock: this.time });
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
      const requests = this.#memory.active + this.#held - this.#node.parked;
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
    this.#advancing += 1;
    try {
      await this.untilQuiescent();
      const end = this.time.now() + durationMs(duration);
      for (let next = this.time.nextMs; next !== undefined && next <= end; next = this.time.nextMs) {
        this.time.step(next);
        await this.untilQuiescent();
      }
      this.time.step(end);
      while (this.time.endPatient()) await this.untilQuiescent();
    } finally {
      this.#advancing -= 1;
    }
  }

  /**
   * Moves time on, as far as it takes until `promise` settles: whenever it waits for something that only time will bring.
   * @param within of virtual time; default one year
   * @throws Error when nothing would happen any more, or not in time: it tells what waits for what
   */
  async complete<T>(promise: Promise<T>, { within = "365 days" }: { readonly within?: Duration } = {}): Promise<T> {
    const end = this.time.now() + durationMs(within);
    let isOver = false;
    const over = () => void (isOver = true);
    promise.then(over, over);
    while (!isOver) {
      await this.untilQuiescent();
      // Whoever moves time itself is not overtaken, nor what has only just come to rest.
      const sent = this.#sent;
      for (let turn = 0; turn < idleTurns && !isOver; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (isOver || this.#advancing > 0 || this.#sent !== sent) continue;
      const next = this.time.nextMs;
      if (next !== undefined && next <= end) this.time.step(next);
      else throw new Error(`nothing more happens within ${within}: ${await this.#waits()}`);
    }
    return promise;
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

  async #send(input: string, init: RequestInit, worker?: TestWorker): Promise<Response> {
    if (this.#isClosed) throw new SlctError("unreachable", "the test cluster is closed");
    const url = new URL(input);
    const { method = "GET", body } = init;
    const request = { method, path: url.pathname + url.search, body: body as string | undefined };
    this.#sent += 1;
    this.#held += 1;
    let fault: Fault;
    try {
      fault = await this.onRequest({ ...request, ...(worker && { worker }) });
    } finally {
      this.#held -= 1;
    }
    if (fault === "drop") throw this.#failure("dropped by the test");
    const response = await this.#memory.fetch(input, init);
    if (response.status >= 500) this.#failure(`status ${response.status}`);
    if (fault === "kill") worker?.kill();
    if (fault === undefined) return response;
    await response.body?.cancel();
    throw this.#failure("answer lost by the test");
  }

  /** What the states that are not done wait for. */
  async #waits(): Promise<string> {
    const lines = [];
    for await (const { ID, Status, Selects, PausedReason } of this.client.states()) {
      if (Status !== "done") lines.push(`${ID} is ${Status}${PausedReason ? `: ${PausedReason}` : waitsOf(Selects)}`);
    }
    return lines.join("; ") || "no process is there";
  }

  /** A request of a dead worker is broken off, and nobody is there to learn of it. */
  async #whileAlive(life: AbortSignal, worker: () => TestWorker, input: string, init: RequestInit): Promise<Response> {
    if (life.aborted) return never();
    const signal = init.signal ? AbortSignal.any([init.signal, life]) : life;
    try {
      const response = await this.#send(input, { ...init, signal }, worker());
      return life.aborted ? never() : response;
    } catch (error) {
      if (life.aborted) return never();
      throw error;
    }
  }
}

/**
 * A cluster for one test: engine, validation and HTTP of production, without disk, Raft and wall clock.
 * ```ts
 * const cluster = createTestCluster({ seed: 7 });
 * cluster.worker({ processes: [order] });
 * const started = await cluster.client.start(order, { pizza: "margherita" });
 * await cluster.advance("3 days");
 * ```
 */
export function createTestCluster(options: TestClusterOptions = {}): TestCluster {
  return new TestCluster(options);
}

function waitsOf(selects: StateOut["Selects"]): string {
  const own = selects.filter(({ ID, Result }) => ID !== cancelSelect && Result === undefined);
  return ` on ${own.map(({ Cases }) => labelOfBodies(Cases)).join(", ")}`;
}

/** As those of processes: 32 hex digits. */
function seedText(seed = 1): string {
  return (seed >>> 0).toString(16).padStart(32, "0");
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
