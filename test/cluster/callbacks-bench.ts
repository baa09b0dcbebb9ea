/**
 * A dispatcher of callbacks between real receivers and a log that answers as the test decides.
 */
import type { Command } from "../../src/select/command.js";
import type { HandOut, Outcome } from "../../src/select/outcome.js";
import type { State } from "../../src/select/types.js";
import { SlctError } from "../../src/errors.js";
import { openCallbacks, type CallbackEnd, type Callbacks, type CallbacksOptions } from "../../cluster/callbacks.js";
import type { CallbackConfig } from "../../cluster/node-config.js";
import { onCleanUp } from "./cleanup.js";

export const secret = Buffer.alloc(32, 7);
export const config: CallbackConfig = {
  slots: 4,
  timeoutMs: 20_000,
  responseBytesMax: 10_000,
  allow: ["127.0.0.0/8"],
  secrets: [`whsec_${secret.toString("base64")}`],
  backoffMs: { first: 100, max: 5000, factor: 3, jitter: 0.2 },
};

/** The log as the dispatcher sees it: takes commands, answers with what `decide` says. */
export interface Bench {
  readonly callbacks: Callbacks;
  readonly proposed: Command[];
  readonly ends: CallbackEnd[];
  /** Slots announced as free, each time. */
  readonly freed: number[];
  /** Resolves when `holds`, looking again after each end. */
  until(holds: () => boolean): Promise<void>;
}

export const accepted: Outcome = { ok: true, answer: { kind: "done" } };

export function openBench(
  change: Partial<CallbackConfig> = {},
  decide: (command: Command, proposals: number) => Outcome | SlctError = () => accepted,
  more: Partial<CallbacksOptions> = {},
): Bench {
  const proposed: Command[] = [];
  const ends: CallbackEnd[] = [];
  const freed: number[] = [];
  const waiting = new Set<() => void>();
  const look = () => [...waiting].forEach((check) => check());
  const callbacks = openCallbacks({
    config: { ...config, ...change },
    nodeId: "n1",
    propose: (command) => {
      proposed.push(command);
      const outcome = decide(command, proposed.length);
      return outcome instanceof SlctError ? Promise.reject(outcome) : Promise.resolve({ index: 1, outcome });
    },
    render: ({ state }) => Buffer.from(JSON.stringify({ ID: state.id, Lock: state.lock?.token })),
    parse: (id, lock, body) => {
      const text = body.toString();
      if (!text.startsWith("{")) throw new SlctError("bad_json", "no state\nin sight");
      return { kind: "put", id, lock, digest: text, selects: [] };
    },
    random: () => 0.5,
    now: Date.now,
    onFree: (slots) => {
      freed.push(slots);
      look();
    },
    onEnd: (end) => {
      ends.push(end);
      look();
    },
    ...more,
  });
  onCleanUp(() => callbacks.close());
  const until = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!holds()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  return { callbacks, proposed, ends, freed, until };
}

/** The lock of a hand-out that does not stand for ever. */
export function lockUntil(id: string, untilMs: number): NonNullable<State["lock"]> {
  return { token: `lock-${id}`, untilMs, leaseMs: 60_000, deadlineKey: "", delivered: [] };
}

export function handOut(id: string, uri: string, change: Partial<State> = {}): HandOut {
  const state: State = {
    id,
    status: "running",
    version: 3,
    selects: [],
    callback: { type: 1, uri },
    lock: lockUntil(id, Infinity),
    attempt: 1,
    createdAtMs: 0,
    updatedAtMs: 0,
    ...change,
  };
  return { state };
}

export const sum = (list: readonly number[]) => list.reduce((total, one) => total + one, 0);
export const failed = (id: string, error: string, delayMs: number, pause = false): Command => ({
  kind: "callbackFailed",
  ...{ id, lock: `lock-${id}`, error, delayMs, pause },
});
export const put = (id: string, digest: string): Command => ({
  kind: "put",
  id,
  lock: `lock-${id}`,
  digest,
  selects: [],
});
