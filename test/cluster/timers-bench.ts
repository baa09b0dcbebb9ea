/**
 * The clock hand over the real engine, for its tests: what is submitted is stamped by the fake clock and applied.
 */
import { expect } from "vitest";
import { Timers } from "../../cluster/timers.js";
import { keys } from "../../src/select/keys.js";
import type { Command } from "../../src/select/command.js";
import type { State } from "../../src/select/types.js";
import { Engine } from "./engine.js";

export const startMs = 1_000_000;

/** A state with one select that waits for a time. */
export const sleeper = (id: string, deadlineMs: number): Command => ({
  ...{ kind: "put", id, digest: id },
  selects: [{ id: "1", choice: "random", cases: [{ op: "time", form: { kind: "at" }, deadlineMs }] }],
});

/** Log time is the stamp of the wall clock, as the leader's intake makes it. */
export function open() {
  const engine = new Engine();
  const world = { rangeCalls: 0, hold: undefined as Promise<void> | undefined };
  const errors: unknown[] = [];
  const commit = (command: Command) => {
    engine.nowMs = Math.max(engine.nowMs, Date.now());
    return engine.submit(command);
  };
  const timers = new Timers({
    store: {
      get: (key) => engine.get(key),
      range: async (options) => {
        world.rangeCalls++;
        const page = engine.range(options);
        await world.hold;
        return page;
      },
    },
    submit: commit,
    clock: () => Date.now(),
    observeLateness: (seconds) => expect(seconds).toBeGreaterThanOrEqual(0),
    onError: (error) => errors.push(error),
  });
  engine.listen(({ effects }) => {
    for (const effect of effects) if (effect.kind === "armed") timers.onArmed(effect.key);
  });
  const expired = () => engine.commands.flatMap((command) => (command.kind === "expire" ? [command.keys] : []));
  const isAwake = (id: string) => (engine.get(keys.state(id)) as State).status === "pending";
  return { engine, timers, world, commit, expired, isAwake, errors };
}
