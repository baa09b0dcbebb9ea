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

/** Each asks a node of its own: one that does not answer must not look like a cluster that does not. */
const probes = 3;
const probePaceMs = 50;
const probeTimeoutMs = 1000;
const lookPaceMs = 100;

export class Observer {
  /** The latest answer to a probe. */
  last = "no answer yet";
  /** Monotonic times at which a probe was acknowledged, ascending. */
  readonly #acknowledgedMs: number[] = [performance.now()];
  /** Who led each term, and when that was seen first. */
  readonly #reigns = new Map<number, { readonly leader: string; readonly atMs: number }>();
  readonly #probing: { stop(): Promise<void> };
  readonly #looking: { stop(): Promise<void> };

  constructor(cluster: ChaosCluster, target: Target) {
    const clients = Array.from({ length: probes }, (_, n) => new ChaosClient(target, "probe", n));
    const body = { Selects: [] };
    this.#probing = loops(probes, probePaceMs, async (prober, round) => {
      const client = clients[prober] as ChaosClient;
      client.turnTo(prober);
      const reply = await client.once("PUT", statePath(`probe/${prober}/${round}`), { body }, probeTimeoutMs);
      this.last = reply instanceof Error ? reply.message : `${reply.status} ${JSON.stringify(reply.body)}`;
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
