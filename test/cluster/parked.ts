/**
 * What parks in the engine, and the waits of one node over it.
 */
import { Waits } from "../../cluster/waits.js";
import type { Command } from "../../src/select/command.js";
import type { Ref } from "../../src/select/types.js";
import { Engine } from "./engine.js";

export const poll = (ref: Ref) =>
  ({ kind: "demand", for: "poll", prefix: "", max: 1, leaseMs: 30_000, park: true, ref }) as const;
export const select = (op: "recv" | "send", ref?: Ref, requestId?: string) => {
  const base = { kind: "select", route: op, cases: [{ op, chan: "c" }], choice: "random" } as const;
  return { ...base, ...(ref && { wait: { ref } }), ...(requestId !== undefined && { requestId }) };
};
/** A state that is pending at once. */
export const create = (id: string): Command => ({
  ...{ kind: "put", id, digest: id },
  selects: [{ id: "1", cases: [{ op: "default" }], choice: "random" }],
});

/** A state that waits for a value, and its creator for the state. */
export const createAndWait = (id: string, ref: Ref): Extract<Command, { kind: "put" }> => ({
  ...{ kind: "put", id, digest: id, wait: { ref, leaseMs: 30_000 } },
  selects: [{ id: "1", cases: [{ op: "recv", chan: "c" }], choice: "random" }],
});

export function openWaits(
  engine = new Engine(),
  options: { epoch?: number; waitsMax?: number; replayedTo?: number } = {},
) {
  const errors: string[] = [];
  const waits = new Waits({
    ...{ node: "n1", epoch: 1, waitsMax: 100, submit: engine.submit, clock: () => engine.nowMs, ...options },
    onError: (message) => errors.push(message),
  });
  engine.listen(({ effects }, { index, command }) => {
    for (const effect of effects) waits.onEffect(effect, index);
    if (command.kind === "forget") waits.onForgotten(index);
  });
  return { engine, waits, errors };
}
