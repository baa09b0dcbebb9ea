/**
 * Steady writes through all nodes while something is done to them: what was acknowledged, and how long it took.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { TestCluster } from "./harness.js";

export interface Written {
  /** IDs of states that were acknowledged. */
  readonly names: readonly string[];
  /** Of those that did not succeed at once: from the first try to the acknowledgement, longest first. */
  readonly healedMs: readonly number[];
}

const retryMs = 20;
const tryMs = 5000;

export class Load {
  readonly prefix = `load-${randomBytes(4).toString("hex")}-`;
  readonly #cluster: TestCluster;
  readonly #names: string[] = [];
  readonly #healedMs: number[] = [];
  readonly #writers: Promise<void[]>;
  #stopped = false;

  /**
   * Each of `writers` creates one state after the other, each at the next node; one that fails is repeated with the same
   * Request-Id at the node after that until it is acknowledged.
   */
  constructor(cluster: TestCluster, writers: number) {
    this.#cluster = cluster;
    this.#writers = Promise.all(Array.from({ length: writers }, (_, writer) => this.#write(writer)));
  }

  /** Acknowledged so far. */
  get count(): number {
    return this.#names.length;
  }

  async stop(): Promise<Written> {
    this.#stopped = true;
    await this.#writers;
    return { names: this.#names, healedMs: [...this.#healedMs].sort((a, b) => b - a) };
  }

  /** What was acknowledged and is not there. */
  async missing(): Promise<string[]> {
    const found = new Set<string>();
    for (let cursor: string | null = ""; cursor !== null;) {
      const from: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const { body } = await this.#cluster.call<{ States: { ID: string }[]; Cursor: string | null }>(
        `/state?prefix=${this.prefix}&limit=1000${from}`,
      );
      for (const { ID } of body.States) found.add(ID);
      cursor = body.Cursor;
    }
    return this.#names.filter((name) => !found.has(name));
  }

  async #write(writer: number): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const name = `${this.prefix}${writer}-${n}`;
      const beganMs = performance.now();
      let tries = 1;
      for (; !(await this.#put(name, writer + n + tries)); tries++) await pause(retryMs);
      if (tries > 1) this.#healedMs.push(performance.now() - beganMs);
      this.#names.push(name);
    }
  }

  /** False: not acknowledged, for whatever reason. */
  async #put(name: string, turn: number): Promise<boolean> {
    const { ids } = this.#cluster;
    const { api } = this.#cluster.member(ids[turn % ids.length] ?? "");
    try {
      const answer = await fetch(`${api}/state/${name}`, {
        method: "PUT",
        headers: { "content-type": "application/json", "request-id": name },
        body: JSON.stringify({ Data: name, Selects: [{ ID: "1", Cases: [] }] }),
        signal: AbortSignal.timeout(tryMs),
      });
      await answer.arrayBuffer();
      if (answer.status < 300) return true;
      if (answer.status === 503 || answer.status === 504) return false;
    } catch {
      // The connection broke, or there is nobody.
      return false;
    }
    throw new Error(`${name} was refused`);
  }
}
