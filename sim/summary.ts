/**
 * What is left of a run when thousands of them are added up.
 */
import type { Result } from "./simulation.js";

export interface Summary {
  readonly seed: number;
  readonly violation?: { readonly invariant: string; readonly message: string };
  readonly nodes: number;
  readonly classes: readonly string[];
  readonly faults: Readonly<Record<string, number>>;
  readonly events: number;
  readonly simulatedMs: number;
  readonly committed: number;
  readonly answered: number;
  readonly unknown: number;
  readonly leaders: number;
  readonly installed: number;
  readonly changed: number;
  readonly trace: string;
  /** Processor time it took. */
  readonly cpuSeconds: number;
}

export function summarise(result: Result, cpuSeconds: number): Summary {
  const faults: Record<string, number> = {};
  for (const { kind } of result.faults) faults[kind] = (faults[kind] ?? 0) + 1;
  const { config, violation, events, simulatedMs, committed, answered, unknown, leaders, installed, changed, trace } =
    result;
  return {
    ...{ seed: config.seed, nodes: config.nodes, classes: config.classes, faults, events, simulatedMs },
    ...{ committed, answered, unknown, leaders, installed, changed, trace, cpuSeconds },
    ...(violation && { violation }),
  };
}
