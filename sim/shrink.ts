/**
 * Makes a run that fails small: fewer nodes, fewer requests, no faults but those that are needed, no longer than it takes.
 *
 * Every step is kept if the run still breaks the same promise. Source: delta debugging (Zeller, ddmin).
 */
import { drawConfig, type SimConfig } from "./config.js";
import type { Fault } from "./schedule.js";
import { simulate, type Result } from "./simulation.js";

/** Enough to run it again, and kept in `test/sim/regressions/`. */
export interface Case {
  readonly invariant: string;
  readonly message: string;
  /** The seeded bug that it needs, if it was not a real one. */
  readonly bug?: string;
  readonly config: SimConfig;
  readonly faults: readonly Fault[];
}

/** Runs that shrinking may take. */
const runsMax = 600;

/** @returns undefined when the seed keeps every promise */
export function shrinkSeed(seed: number): Case | undefined {
  const found = simulate(drawConfig(seed));
  return found.violation === undefined ? undefined : new Shrinker(found).shrink();
}

/** Runs a kept case. Settings that it does not know are those of its seed. */
export function replay({ config, faults }: Case, traceLines = 0): Result {
  const drawn = drawConfig(config.seed);
  const whole = {
    ...{ ...drawn, ...config },
    network: { ...drawn.network, ...config.network },
    disk: { ...drawn.disk, ...config.disk },
  };
  return simulate(whole, { faults, traceLines });
}

class Shrinker {
  #best: Result;
  readonly #invariant: string;
  #runs = 0;

  constructor(found: Result) {
    this.#best = found;
    this.#invariant = found.violation?.invariant ?? "";
  }

  shrink(): Case {
    // From now on only what is on the list happens.
    this.#try(this.#best.config, this.#best.faults);
    this.#fewerNodes();
    this.#fewerRequests();
    this.#fewerKinds();
    this.#fewerFaults();
    this.#fewerRequests();
    this.#shorter();
    const { config, faults, violation } = this.#best;
    return { invariant: this.#invariant, message: violation?.message ?? "", config, faults };
  }

  /** @returns whether it still fails in the same way; then it is the best */
  #try(config: SimConfig, faults: readonly Fault[]): boolean {
    if (this.#runs >= runsMax) return false;
    this.#runs += 1;
    const result = simulate(config, { faults });
    if (result.violation?.invariant !== this.#invariant) return false;
    this.#best = result;
    return true;
  }

  #fewerNodes(): void {
    for (let nodes = 1; nodes < this.#best.config.nodes; nodes += 1) {
      const { config, faults } = this.#best;
      if (
        this.#try(
          { ...config, nodes },
          faults.filter((fault) => concerns(fault, nodes, config.nodes)),
        )
      )
        return;
    }
  }

  #fewerRequests(): void {
    for (const change of [{ clients: 1 }, { retries: false }, { readShare: 0 }]) {
      const { config, faults } = this.#best;
      this.#try({ ...config, ...change }, faults);
    }
    for (let step = this.#best.config.requests >> 1; step >= 1; step >>= 1) {
      const { config, faults } = this.#best;
      while (step < config.requests && this.#try({ ...config, requests: this.#best.config.requests - step }, faults));
    }
  }

  #fewerKinds(): void {
    for (const kind of new Set(this.#best.faults.map((fault) => fault.kind))) {
      const { config, faults } = this.#best;
      this.#try(
        config,
        faults.filter((fault) => fault.kind !== kind),
      );
    }
  }

  /** ddmin: parts first, single ones last. */
  #fewerFaults(): void {
    for (let width = this.#best.faults.length >> 1; width >= 1; width >>= 1) {
      for (let at = 0; at < this.#best.faults.length;) {
        const { config, faults } = this.#best;
        const fewer = [...faults.slice(0, at), ...faults.slice(at + width)];
        if (!this.#try(config, fewer)) at += width;
      }
    }
  }

  #shorter(): void {
    const { config, faults, simulatedMs } = this.#best;
    if (simulatedMs < config.safetyMs) this.#try({ ...config, safetyMs: Math.ceil(simulatedMs) + 1 }, faults);
  }
}

/** Links are numbered by the nodes that there are. */
function concerns(fault: Fault, nodes: number, nodesBefore: number): boolean {
  const names = Array.from({ length: nodes }, (_, at) => `n${at + 1}`);
  switch (fault.kind) {
    case "drop":
    case "replay":
      return nodes === nodesBefore;
    case "cut":
      return fault.links.every((pair) => pair.every((id) => names.includes(id)));
    case "clog":
    case "reset":
      return names.includes(fault.from) && names.includes(fault.to);
    case "buggify":
      return true;
    case "crash":
    case "pause":
    case "spoil":
    case "wipe":
    case "step":
    case "stall":
    case "diskError":
    case "diskFull":
    case "rot":
    case "join":
    case "remove":
    case "transfer":
      return names.includes(fault.node);
  }
}
