/**
 * Builds the `p` of one scope: the main function's, a thread's, that of an iteration.
 */
import { SlctError } from "../client/errors.js";
import type { LoopContext, ProcessContext, ProcessInfo } from "./context.js";
import { channels, processes } from "./doing.js";
import type { Host } from "./host.js";
import { newScope, type Scope } from "./journal.js";
import { loopDone } from "./operations.js";
import { Random } from "./random.js";
import { waiting } from "./waiting.js";

export function makeContext(scope: Scope, host: Host): LoopContext {
  const { program } = host;
  return {
    ...waiting(scope, host),
    ...processes(scope, host),
    ...channels(scope, host),
    ...running(scope, host),
    ...chance(scope, host),
    now: () => host.now(),
    done: <R>(value?: R) => loopDone(value as R),
    vars: program.vars,
    signal: program.signal,
    defer: (undo) => {
      host.ask("p.defer");
      if (!scope.inLoop) return program.defer(undo);
      throw new SlctError("not_durable", "p.defer in a loop is forgotten with its iteration: keep it in the carry");
    },
    info: infoOf(host),
  };
}

/** Of a step: the same at every attempt, different for every step of every process. */
export function idempotencyKey(seed: string, op: string): string {
  return new Random(seed, `step ${op}`).uuid();
}

/** What is left to chance in the pause after an attempt: repeats with the process, differs between processes. */
export function chanceOf(seed: string, op: string, attempts: number): number {
  return new Random(seed, `retry ${op} ${attempts}`).next();
}

function running(scope: Scope, host: Host): Pick<ProcessContext, "go" | "step" | "loop"> {
  const { operations, program } = host;
  return {
    go: (run) => {
      const op = operations.name(scope, "go");
      return program.go(() => run(makeContext(newScope(op, scope.inLoop), host)));
    },
    step: (name, run, options = {}) => operations.step(scope, name, run, options) as Promise<never>,
    loop: (carry, body) => operations.loop(scope, carry, (next, iteration) => body(next, makeContext(iteration, host))),
  };
}

function chance(scope: Scope, host: Host): Pick<ProcessContext, "random" | "uuid"> {
  let stream: Random | undefined;
  const draw = (label: string) => {
    host.ask(label);
    return (stream ??= new Random(host.seed, scope.path));
  };
  return { random: () => draw("p.random").next(), uuid: () => draw("p.uuid").uuid() };
}

function infoOf({ id, process: { name, version }, startedAt, attempt }: Host): ProcessInfo {
  const info = { id, name, key: id.slice(name.length + 1), version, startedAt };
  return Object.defineProperty({ ...info, attempt: 1 }, "attempt", { get: attempt, enumerable: true });
}
