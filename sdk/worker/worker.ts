/**
 * A worker: polls for its processes, runs what it is handed, puts it back.
 *
 * A process that waits holds nothing here but, for a moment, the request that put it back: if its next result comes
 * quickly, it comes with that answer. Boundary: activation.ts knows what a hand-out means, this file who does what when.
 */
import type { StateOut } from "../../api/contract.js";
import { createClient, type Client, type ClientOptions } from "../client.js";
import { sleep } from "../client/clock.js";
import { durationMs, type Duration } from "../client/duration.js";
import { prefixOf } from "../client/names.js";
import { activate } from "./activation.js";
import { Lease } from "./lease.js";
import { Runtime, type RuntimeOptions } from "./runtime.js";
import { giveBack, pause, settle } from "./settle.js";
import { Slots } from "./slots.js";

/** What a worker runs, how much of it at once, and how it stops. */
export interface WorkerOptions extends RuntimeOptions {
  /** Where the service is, or a client for it. */
  readonly endpoints?: ClientOptions["endpoints"];
  readonly client?: Client;
  /** Processes that run at once; default 100. Those that wait do not count. */
  readonly concurrency?: number;
  /** A worker that is gone is replaced after this; default 30 s. */
  readonly lease?: Duration;
  /** How long a put-back waits for the next result; default 1 s, 0 for not at all. */
  readonly linger?: Duration;
  /** Steps that run longer than this learn of cancellation and other results at once; default 1 s. */
  readonly newsAfter?: Duration;
  /** Signals of the operating system that stop it gracefully, such as `["SIGTERM", "SIGINT"]`. */
  readonly stopOn?: readonly string[];
  /** What runs may go on for this long when it stops, then it is given back; default 10 s. */
  readonly grace?: Duration;
}

/** A worker that runs. Made by {@link worker}. */
export interface Worker {
  /** Processes that run at this moment; not those whose put-back waits for the next result. */
  readonly running: number;
  /** Takes nothing more, finishes what runs or gives it back. */
  stop(): Promise<void>;
  /** Resolves when it has stopped. */
  readonly stopped: Promise<void>;
}

const defaults = { concurrency: 100, lease: "30s", linger: "1s", newsAfter: "1s", grace: "10s" } as const;
const pollWaitMs = 30_000;
/** If there are more names to poll for than slots: a poll holds one, and all shall have their turn. */
const pollTurnMs = 1000;
const pollMax = 100;
/** After a poll that failed for good. */
const pollPauseMs = 1000;

/**
 * Polls for its processes and runs them, from now on until it is stopped.
 * @throws TypeError without endpoints or a client
 * @throws SlctError `bad_request` for a process that is there twice in one version
 * @throws Error for an activity that is there twice
 */
export function worker(options: WorkerOptions): Worker {
  return new PollingWorker(options);
}

class PollingWorker implements Worker {
  readonly stopped: Promise<void>;
  readonly #options: Required<Pick<WorkerOptions, keyof typeof defaults>>;
  readonly #client: Client;
  readonly #runtime: Runtime;
  readonly #slots: Slots;
  readonly #leases = new Set<Lease>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  /** One for each poll: a signal that many listen to is taken for a leak. */
  readonly #polls = new Set<AbortController>();
  #lingering = 0;
  #cancelBeat: (() => void) | undefined;
  #onStopped: () => void = () => undefined;

  constructor(options: WorkerOptions) {
    const { endpoints, client, clock, stopOn = [] } = options;
    this.#options = { ...defaults, ...options };
    if (client === undefined && endpoints === undefined) throw new TypeError("a worker needs endpoints or a client");
    this.#client = client ?? createClient({ endpoints: endpoints as string, ...(clock && { clock }) });
    const onLate: RuntimeOptions["onLate"] = (id, error) =>
      void pause(id, error, { client: this.#client, warn: this.#runtime.warn });
    this.#runtime = new Runtime({ onLate, ...options });
    this.#slots = new Slots(this.#options.concurrency);
    this.stopped = new Promise((resolve) => (this.#onStopped = resolve));
    for (const name of this.#runtime.registry.names) void this.#poll(name);
    for (const signal of stopOn) onSignal(signal, () => void this.stop());
  }

  get running(): number {
    return this.#leases.size;
  }

  async stop(): Promise<void> {
    if (this.#stop.signal.aborted) return this.stopped;
    this.#stop.abort();
    for (const poll of this.#polls) poll.abort();
    const reason = new Error("the worker stops");
    const cancel = this.#runtime.clock.after(durationMs(this.#options.grace), () => {
      for (const lease of this.#leases) lease.end(reason);
    });
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
    cancel();
    this.#cancelBeat?.();
    this.#onStopped();
  }

  /** Asks for one state at a time; when there is more than one, for as many as there are slots. */
  async #poll(name: string): Promise<void> {
    const poll = new AbortController();
    const { signal } = poll;
    this.#polls.add(poll);
    const wait = this.#runtime.registry.names.length > this.#options.concurrency ? pollTurnMs : pollWaitMs;
    let wanted = 1;
    while (!signal.aborted) {
      await this.#slots.acquire();
      const slots = 1 + this.#slots.take(Math.min(wanted, pollMax) - 1);
      let states: readonly StateOut[] = [];
      try {
        const lease = this.#options.lease;
        states = await this.#client.poll({ prefix: prefixOf(name), wait, max: slots, lease, signal });
      } catch (error) {
        if (!signal.aborted) {
          this.#runtime.warn(`polling for ${name}: ${(error as Error).message}`);
          await sleep(this.#runtime.clock, pollPauseMs, signal).catch(() => undefined);
        }
      }
      this.#slots.release(slots - states.length);
      wanted = states.length === slots ? wanted * 2 : 1;
      for (const state of states) this.#begin(state);
    }
  }

  #begin(state: StateOut): void {
    const task = this.#run(state).finally(() => {
      this.#slots.release();
      this.#tasks.delete(task);
    });
    this.#tasks.add(task);
  }

  /** From one hand-out to the next, as long as they come with the answers. Never rejects. */
  async #run(state: StateOut): Promise<void> {
    const { clock } = this.#runtime;
    const options = {
      ...{ client: this.#client, clock, leaseMs: durationMs(this.#options.lease) },
      newsAfterMs: durationMs(this.#options.newsAfter),
      linger: <T>(lease: Lease, putBack: (waitMs: number | undefined) => Promise<T>) => this.#linger(lease, putBack),
    };
    for (let next: StateOut | undefined = state; next;) {
      const lease: Lease = new Lease(next, options);
      this.#leases.add(lease);
      this.#cancelBeat ??= this.#beat();
      try {
        // What comes with an answer while the worker stops is for the next one.
        if (this.#stop.signal.aborted && next !== state) next = await giveBack(lease);
        else next = await activate(next, lease, this.#runtime);
      } catch (error) {
        next = undefined;
        await settle(lease, error, { client: this.#client, warn: this.#runtime.warn });
      } finally {
        this.#leases.delete(lease);
      }
    }
  }

  /** Who waits for its next result runs no more: its slot is free meanwhile. */
  async #linger<T>(lease: Lease, putBack: (waitMs: number | undefined) => Promise<T>): Promise<T> {
    const waitMs = durationMs(this.#options.linger);
    if (waitMs === 0 || this.#stop.signal.aborted || this.#lingering >= this.#options.concurrency) {
      return putBack(undefined);
    }
    this.#lingering += 1;
    this.#leases.delete(lease);
    this.#slots.release();
    try {
      return await putBack(waitMs);
    } finally {
      this.#lingering -= 1;
      await this.#slots.acquire(true);
    }
  }

  /** Keeps leases alive, as long as there are any. */
  #beat(): () => void {
    return this.#runtime.clock.after(Math.max(durationMs(this.#options.lease) / 6, 1), () => {
      for (const lease of this.#leases) void lease.keepAlive();
      this.#cancelBeat = this.#leases.size > 0 ? this.#beat() : undefined;
    });
  }
}

function onSignal(signal: string, run: () => void): void {
  const { process } = globalThis as { process?: { once?: (signal: string, run: () => void) => void } };
  process?.once?.(signal, run);
}
