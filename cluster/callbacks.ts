/**
 * The callback dispatcher of one node: takes states that were handed out to it, calls their URIs, and proposes what
 * comes of it.
 *
 * It decides nothing about states: every outcome is a command under the lock of the hand-out, so one that comes too late
 * is refused by the log. It promises the caller to answer each hand-out with a command, or to let its lease run out.
 * Source: protocol §3, reliability C5–C9.
 */
import { setMaxListeners } from "node:events";
import { SlctError } from "../src/errors.js";
import { InvariantError } from "../src/invariant.js";
import type { Command } from "../src/select/command.js";
import type { HandOut, Outcome } from "../src/select/outcome.js";
import { Caller, type CallResult } from "./callback-call.js";
import { Circuits, type Attempt } from "./callback-circuit.js";
import { createResolve, type Resolve } from "./callback-dns.js";
import { sanitise } from "./callback-failure.js";
import { parseAllow } from "./callback-guard.js";
import { failpoint } from "./failpoint.js";
import type { CallbackConfig } from "./node-config.js";
import type { Committed } from "./types.js";
import { parseSecret, webhookHeaders, webhookId, type WebhookSecret } from "./webhook.js";

/** How a hand-out ended here. `lost`: the lease was over first, or nobody could be told. */
export type CallbackEnd = "put" | "accepted" | "gone" | "failed" | "lost" | "givenBack";

export interface CallbacksOptions {
  readonly config: CallbackConfig;
  /** For the header `slct-node` of a call. */
  readonly nodeId: string;
  /** @throws SlctError `no_leader`, `overloaded`, `timeout` */
  readonly propose: (command: Command) => Promise<Committed>;
  /** Wire JSON of a hand-out. */
  readonly render: (handOut: HandOut) => Buffer;
  /** A returned state as a put-back. @throws SlctError when it could not be put back by anybody */
  readonly parse: (stateId: string, lock: string, body: Buffer) => Command;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The clock that leases end by, unix ms. */
  readonly now: () => number;
  /** So many slots came free: ask for as many hand-outs more. */
  readonly onFree: (slots: number) => void;
  readonly onEnd: (end: CallbackEnd) => void;
  readonly resolve?: Resolve;
}

interface Job {
  readonly handOut: HandOut;
  readonly id: string;
  readonly lock: string;
  readonly uri: string;
  /** Of the URI; empty when it has none. */
  readonly host: string;
  readonly leaseEndsMs: number;
  readonly leaseMs: number;
}

/** A lease of which so much is left is a new one, however close to it the deadline of a call is. */
const freshShare = 0.9;

/** Hand-outs that wait for their host, as a multiple of the slots. */
const queuePerSlot = 4;
/** A surplus hand-out comes back after this long, and its slot is asked for again a moment later: no spinning. */
const surplusMs = 5000;
const settleMs = 250;
const retryMs = { first: 50, max: 1000 };
/** Calls in flight have this long to end when the node stops, then what is left has as long to be given back. */
const closeMs = 700;
/** A host that cannot be reached is tried again at least this often. */
const blockedMsMax = 30_000;

/** @throws Error when the configuration holds a damaged secret or allow entry */
export function openCallbacks(options: CallbacksOptions): Callbacks {
  return new Callbacks(options);
}

export class Callbacks {
  readonly #options: CallbacksOptions;
  readonly #secrets: readonly WebhookSecret[];
  readonly #caller: Caller;
  readonly #circuits: Circuits;
  readonly #queue: Job[] = [];
  /** Slots that are neither free nor announced as free. */
  #held = 0;
  #inFlight = 0;
  #givingBack = 0;
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #closing = false;

  constructor(options: CallbacksOptions) {
    const { config, random, now, resolve = createResolve() } = options;
    const inFlightMax = Math.max(1, Math.floor(config.slots / 4));
    this.#options = options;
    setMaxListeners(config.slots + 1, this.#stop.signal); // every call listens
    this.#secrets = config.secrets.map(parseSecret);
    this.#circuits = new Circuits({
      inFlightMax,
      firstMs: config.backoffMs.first,
      maxMs: Math.min(config.backoffMs.max, blockedMsMax),
      factor: config.backoffMs.factor,
      random,
    });
    this.#caller = new Caller({
      allow: parseAllow(config.allow),
      resolve,
      timeoutMs: config.timeoutMs,
      responseBytesMax: config.responseBytesMax,
      socketsPerHost: inFlightMax,
      now,
    });
  }

  freeSlots(): number {
    return Math.max(0, this.#options.config.slots - this.#inFlight - this.#givingBack);
  }

  /** Runs the calls of these, or gives them back. */
  take(handOuts: readonly HandOut[]): void {
    this.#held += handOuts.length;
    for (const handOut of handOuts) {
      const job = this.#jobOf(handOut);
      const leftMs = job === undefined ? 0 : job.leaseEndsMs - this.#options.now();
      if (job === undefined || leftMs <= 0) this.#options.onEnd("lost");
      else if (leftMs < this.#options.config.timeoutMs && leftMs < job.leaseMs * freshShare) this.#giveBack(job, 0);
      else this.#place(job);
    }
    this.#release();
  }

  /** Ends when every call is answered or given up; bounded. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const job of this.#queue.splice(0)) this.#giveBack(job, 0);
    await this.#idle(closeMs);
    this.#stop.abort();
    await this.#idle(closeMs);
    this.#caller.close();
  }

  #jobOf(handOut: HandOut): Job | undefined {
    const { id, lock, callback } = handOut.state;
    if (lock === undefined || callback === undefined) return undefined;
    const host = URL.canParse(callback.uri) ? new URL(callback.uri).host : "";
    return { handOut, id, lock: lock.token, uri: callback.uri, host, leaseEndsMs: lock.untilMs, leaseMs: lock.leaseMs };
  }

  #place(job: Job): void {
    const { config, now } = this.#options;
    const blockedMs = this.#circuits.blockedMs(job.host, now());
    if (this.#closing) this.#giveBack(job, 0);
    else if (blockedMs > 0) this.#giveBack(job, blockedMs);
    else if (this.#canRun(job)) this.#run(job);
    else if (this.#queue.length < queuePerSlot * config.slots) this.#queue.push(job);
    else this.#giveBack(job, surplusMs);
  }

  #canRun(job: Job): boolean {
    return this.#inFlight < this.#options.config.slots && this.#circuits.hasRoom(job.host);
  }

  #run(job: Job): void {
    this.#inFlight++;
    this.#track(this.#callAndSettle(job, this.#circuits.started(job.host)), () => this.#inFlight--);
  }

  #giveBack(job: Job, delayMs: number): void {
    const { random, onEnd } = this.#options;
    this.#givingBack++;
    const jittered = Math.round(delayMs * (1 + random() / 2));
    const work = async () => {
      await this.#propose(job, { kind: "unlock", id: job.id, lock: job.lock, delayMs: jittered });
      onEnd("givenBack");
      if (!this.#closing) await pause(settleMs);
    };
    this.#track(work(), () => this.#givingBack--);
  }

  #track(work: Promise<void>, end: () => void): void {
    const tracked = work.then(() => {
      end();
      this.#running.delete(tracked);
      this.#pump();
    });
    this.#running.add(tracked);
  }

  /** A call ended: who waits for its host, or for any slot, may go. */
  #pump(): void {
    const { config, now } = this.#options;
    const waiting = this.#queue.splice(0);
    for (const job of waiting) {
      if (job.leaseEndsMs - now() < config.timeoutMs) this.#giveBack(job, surplusMs);
      else this.#place(job);
    }
    this.#release();
  }

  /** What waits in the queue holds no slot: it waits for a host, and others need not. */
  #release(): void {
    const free = this.#held - this.#inFlight - this.#givingBack;
    if (free <= 0) return;
    this.#held -= free;
    if (!this.#closing) this.#options.onFree(free);
  }

  async #callAndSettle(job: Job, attempt: Attempt): Promise<void> {
    const { render, now, onEnd, nodeId } = this.#options;
    const body = render(job.handOut);
    const id = webhookId(job.id, job.handOut.state.version);
    const signed = webhookHeaders({ id, atMs: now(), body, secrets: this.#secrets });
    const headers = { ...signed, "slct-node": encodeURIComponent(nodeId) };
    failpoint("callbacks.before-call");
    const result = await this.#caller.call({ uri: job.uri, headers, body, signal: this.#stop.signal });
    failpoint("callbacks.after-call");
    this.#circuits.ended(attempt, result.kind !== "failed" || !result.unreachable, now());
    onEnd(await this.#settle(job, result));
  }

  async #settle(job: Job, result: CallResult): Promise<CallbackEnd> {
    switch (result.kind) {
      case "state":
        return this.#putBack(job, result.body);
      case "accepted":
        return "accepted";
      case "gone":
        await this.#propose(job, this.#failed(job, "answered 410", { delayMs: 0, pause: true }));
        return "gone";
      case "failed":
        if (this.#stop.signal.aborted) {
          await this.#propose(job, { kind: "unlock", id: job.id, lock: job.lock, delayMs: 0 });
          return "givenBack";
        }
        return this.#fail(job, result.error, result.retryAfterMs);
    }
  }

  async #putBack(job: Job, body: Buffer): Promise<CallbackEnd> {
    let command: Command;
    try {
      command = this.#options.parse(job.id, job.lock, body);
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      const why = error instanceof SlctError ? `${error.code}: ${error.message}` : "internal";
      return this.#fail(job, `the returned state is invalid: ${why}`);
    }
    const outcome = await this.#propose(job, command);
    if (outcome === undefined) return "lost";
    if (outcome.ok) return "put";
    // Somebody else has the state by now, or it is gone: there is nothing left to fail.
    if (outcome.code === "lock_error" || outcome.code === "not_found") return "lost";
    return this.#fail(job, `the returned state was refused: ${outcome.code}: ${outcome.message}`);
  }

  async #fail(job: Job, error: string, retryAfterMs = 0): Promise<CallbackEnd> {
    const { max } = this.#options.config.backoffMs;
    const delayMs = Math.max(this.#backoffMs(job.handOut.state.attempt), Math.min(retryAfterMs, max));
    const outcome = await this.#propose(job, this.#failed(job, error, { delayMs, pause: false }));
    return outcome === undefined ? "lost" : "failed";
  }

  #failed(job: Job, error: string, then: { delayMs: number; pause: boolean }): Command {
    return { kind: "callbackFailed", id: job.id, lock: job.lock, error: sanitise(error), ...then };
  }

  #backoffMs(attempt: number): number {
    const { first, max, factor, jitter } = this.#options.config.backoffMs;
    const exact = Math.min(max, first * factor ** Math.min(Math.max(0, attempt - 1), 64));
    return Math.round(exact * (1 - jitter + 2 * jitter * this.#options.random()));
  }

  /** Repeats while the lease lasts: all that is proposed here may be applied twice. Undefined: nobody knows. */
  async #propose(job: Job, command: Command): Promise<Outcome | undefined> {
    const { propose, now, random } = this.#options;
    for (let delayMs = retryMs.first; ; delayMs = Math.min(retryMs.max, delayMs * 2)) {
      try {
        const { outcome } = await propose(command);
        failpoint("callbacks.after-propose");
        return outcome;
      } catch (error) {
        if (!(error instanceof SlctError)) throw error;
        if (this.#closing || now() >= job.leaseEndsMs) return undefined;
        await pause(delayMs * (0.5 + random() / 2));
      }
    }
  }

  /** Until nothing runs, at most `boundMs`. */
  async #idle(boundMs: number): Promise<void> {
    if (this.#running.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<void>((resolve) => (timer = setTimeout(resolve, boundMs)));
    await Promise.race([Promise.allSettled([...this.#running]), bound]);
    clearTimeout(timer);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
