/**
 * Steady writes through all nodes while something is done to them: what was acknowledged, what failed first and how long
 * that took to heal, and for how long nothing was acknowledged at all.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { TestCluster } from "./harness.js";

export interface Written {
  /** Acknowledged. */
  readonly count: number;
  /** Of those that did not succeed at once: from the first try to the acknowledgement, longest first. */
  readonly healedMs: readonly number[];
  /** How often each node did not acknowledge a try, by what came instead. */
  readonly failures: ReadonlyMap<string, number>;
}

/** A writer takes a breath after each write: what is done to the nodes needs the machine as well. */
const paceMs = 10;
const retryMs = 20;
/** Longer than a node takes to answer in any case. */
const tryMs = 15_000;
/** Every so many writes one is a value into a channel, the others are new states. */
const sendEvery = 4;
const receivers = 8;

export class Load {
  readonly #prefix = `load-${randomBytes(4).toString("hex")}-`;
  readonly #chan = `${this.#prefix}chan`;
  readonly #cluster: TestCluster;
  readonly #states: string[] = [];
  readonly #values: string[] = [];
  readonly #acknowledgedMs: number[] = [];
  readonly #healedMs: number[] = [];
  readonly #failures = new Map<string, number>();
  readonly #writers: Promise<void[]>;
  #stopped = false;

  /**
   * Each of `writers` writes one thing after the other, each at the next node; what fails is repeated with the same
   * Request-Id at the node after that until it is acknowledged.
   */
  constructor(cluster: TestCluster, writers: number) {
    this.#cluster = cluster;
    this.#writers = this.#open().then(() =>
      Promise.all(Array.from({ length: writers }, (_, writer) => this.#write(writer))),
    );
  }

  /** Acknowledged so far. */
  get count(): number {
    return this.#acknowledgedMs.length;
  }

  /** Without an acknowledgement, at a time that was not over at `sinceMs`. */
  longestGapMs(sinceMs: number): number {
    const last = this.#acknowledgedMs.findLastIndex((ms) => ms <= sinceMs);
    const moments = this.#acknowledgedMs.slice(Math.max(0, last));
    return moments.reduce((longest, ms, n) => Math.max(longest, ms - (moments[n - 1] ?? ms)), 0);
  }

  async stop(): Promise<Written> {
    this.#stopped = true;
    await this.#writers;
    return {
      ...{ count: this.count, failures: this.#failures },
      healedMs: [...this.#healedMs].sort((a, b) => b - a),
    };
  }

  /** What was acknowledged and is not there as it was written, or is there twice. Empties the channel. */
  async missing(): Promise<string[]> {
    const [states, values] = await Promise.all([this.#heldStates(), this.#heldValues()]);
    return [
      ...this.#states.filter((name) => states.get(name) !== `waiting 1 ${name}`),
      ...this.#values.filter((name) => values.get(name) !== 1),
    ];
  }

  async #open(): Promise<void> {
    const { status } = await this.#cluster.call(`/channel/${this.#chan}`, { method: "PUT", body: { Buffer: 100_000 } });
    if (status !== 201) throw new Error(`the channel of the load: ${status}`);
  }

  /** Status, version and data by ID. */
  async #heldStates(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (let cursor: string | null = ""; cursor !== null;) {
      const from: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const { body } = await this.#cluster.call<{
        States: { ID: string; Status: string; Version: number; Data: string }[];
        Cursor: string | null;
      }>(`/state?prefix=${this.#prefix}&limit=1000${from}`);
      for (const { ID, Status, Version, Data } of body.States) found.set(ID, `${Status} ${Version} ${Data}`);
      cursor = body.Cursor;
    }
    return found;
  }

  /** How often each is there. */
  async #heldValues(): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    const receive = async (): Promise<void> => {
      for (;;) {
        const path = `/channel/${this.#chan}/recv`;
        const { status, body } = await this.#cluster.call<{ Data: string }>(path, { method: "POST" });
        if (status !== 200) return;
        found.set(body.Data, (found.get(body.Data) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: receivers }, receive));
    return found;
  }

  async #write(writer: number): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const name = `${this.#prefix}${writer}-${n}`;
      const isSend = n % sendEvery === 0;
      const beganMs = performance.now();
      let tries = 1;
      for (; !(await this.#try(name, isSend, writer + n + tries)); tries++) await pause(retryMs);
      const nowMs = performance.now();
      if (tries > 1) this.#healedMs.push(nowMs - beganMs);
      this.#acknowledgedMs.push(nowMs);
      (isSend ? this.#values : this.#states).push(name);
      await pause(paceMs);
    }
  }

  /** False: not acknowledged, for whatever reason. */
  async #try(name: string, isSend: boolean, turn: number): Promise<boolean> {
    const { ids } = this.#cluster;
    const node = ids[turn % ids.length] ?? "";
    const end = await this.#ask(name, isSend, this.#cluster.member(node).api);
    if (end === undefined) return true;
    const failure = `${node} ${end}`;
    this.#failures.set(failure, (this.#failures.get(failure) ?? 0) + 1);
    return false;
  }

  /** Undefined: acknowledged. */
  async #ask(name: string, isSend: boolean, api: string): Promise<string | undefined> {
    const body = isSend ? { Data: name } : { Data: name, Selects: [{ ID: "1", Cases: [] }] };
    let answer: Response;
    try {
      answer = await fetch(isSend ? `${api}/channel/${this.#chan}/send` : `${api}/state/${name}`, {
        method: isSend ? "POST" : "PUT",
        headers: { "content-type": "application/json", "request-id": name },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(tryMs),
      });
      await answer.arrayBuffer();
    } catch (error) {
      // The connection broke, or there is nobody.
      const { code, name: kind } = ((error as Error).cause ?? error) as { code?: string; name: string };
      return code ?? kind;
    }
    if (answer.status < 300) return undefined;
    if (answer.status === 503 || answer.status === 504) return String(answer.status);
    throw new Error(`${name} was refused: ${answer.status}`);
  }
}
