/**
 * What a put-back has to store of a process.
 */
import type { Json, SelectBody } from "../../api/contract.js";
import { layout, type DoneData, type RunningData } from "../client/process-data.js";
import type { Operations } from "./operations.js";
import type { Program } from "./program.js";
import type { Effect, Records } from "./records.js";

export type Vars = { readonly [name: string]: Json };

export interface Commit {
  readonly data: RunningData | DoneData;
  /** Only if they changed. */
  readonly vars?: Vars;
  readonly add: readonly SelectBody<unknown>[];
  readonly cancel: readonly string[];
  /** Processes that end with this one, or with an iteration of it. */
  readonly bound: readonly string[];
  readonly effects: readonly Effect[];
}

export interface Parts {
  /** As it began, and as it is stored. */
  readonly data: RunningData;
  readonly vars: Vars;
  readonly process: { readonly name: string; readonly version: string };
  readonly turns: number;
  readonly records: Records;
  readonly operations: Operations;
  readonly program: Program;
}

export function composeCommit({ data, vars, process, turns, records, operations, program }: Parts): Commit {
  const head = { slct: layout, process: process.name, version: process.version } as const;
  const effects = [...records.effects.values()];
  const isSame = JSON.stringify(program.vars) === JSON.stringify(vars);
  const common = { effects, ...(!isSame && { vars: structuredClone(program.vars) }) };
  if (program.outcome !== undefined) {
    const cancel = [...records.cancels, ...records.registered.keys()];
    return {
      ...common,
      data: { ...head, result: program.outcome },
      add: [],
      cancel,
      bound: [...records.bound, ...program.bound],
    };
  }
  const { seed, input } = data;
  const retries = [...records.timers].map(([ID, one]): SelectBody<unknown> => ({ ID, Cases: [one] }));
  return {
    ...common,
    data: { ...head, seed, input, turn: turns + 1, ...records.snapshot() },
    add: [...retries, ...operations.newSelects()],
    cancel: [...records.cancels],
    bound: [...records.bound],
  };
}
