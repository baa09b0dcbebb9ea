/**
 * Watches a cluster from outside while it is being broken: when writes were acknowledged, who led.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { ChaosClient, type Target } from "./client.js";
import type { ChaosCluster } from "./cluster.js";
import { loops, statePath } from "./workload.js";

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

const probePaceMs = 20;
const probeTimeoutMs = 250;
const lookPaceMs = 100;

export class Observer {
  /** Monotonic times at which a probe was acknowledged, ascending. */
  readonly #acknowledgedMs: number[] = [performance.now()];
  /** Who led each term, and when that was seen first. */
  readonly #reigns = new Map<number, { readonly leader: string; readonly atMs: number }>();
  readonly #probing: { stop(): Promise<void> };
  readonly #looking: { stop(): Promise<void> };

  constructor(cluster: ChaosCluster, target: Target) {
    const client = new ChaosClient(target, "probe", 0);
    const body = { Selects: [] };
    this.#probing = loops(1, probePaceMs, async (_, round) => {
      const reply = await client.once("PUT", statePath(`probe/${round}`), { body }, probeTimeoutMs);
      if (!(reply instanceof Error) && reply.status === 201) this.#acknowledgedMs.push(performance.now());
    });
    this.#looking = loops(1, lookPaceMs, async () => {
      for (const { ID, Role, Term } of await cluster.statuses())
        if (Role === "leader" && !this.#reigns.has(Term))
          this.#reigns.set(Term, { leader: ID, atMs: performance.now() });
    });
  }

  /** Longest time without an acknowledged write that began, or went on, in the span. */
  unavailableMs({ fromMs, toMs }: Span): number {
    let longest = 0;
    for (let at = 1; at <= this.#acknowledgedMs.length; at++) {
      const began = this.#acknowledgedMs[at - 1] ?? 0;
      const ended = this.#acknowledgedMs[at] ?? performance.now();
      if (ended >= fromMs && began <= toMs) longest = Math.max(longest, ended - began);
    }
    return longest;
  }

  /** Terms whose leader was first seen in the span. */
  leaderChanges({ fromMs, toMs }: Span): number {
    return [...this.#reigns.values()].filter(({ atMs }) => atMs >= fromMs && atMs <= toMs).length;
  }

  /** Resolves with the time of the next acknowledged write. */
  async nextWrite(withinMs: number): Promise<number | undefined> {
    const before = this.#acknowledgedMs.length;
    const endMs = performance.now() + withinMs;
    while (this.#acknowledgedMs.length === before && performance.now() < endMs) await pause(5);
    return this.#acknowledgedMs[before];
  }

  async stop(): Promise<void> {
    await this.#probing.stop();
    await this.#looking.stop();
  }
}
