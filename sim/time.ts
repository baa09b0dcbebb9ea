/**
 * Clocks and timers as the process of a node sees them: its own clocks, and events that wait while it is frozen.
 */
import type { Time } from "../cluster/environment.js";
import type { NodeClock } from "./clock.js";
import type { Event, Loop } from "./loop.js";

export function timeOf(process: {
  readonly loop: Loop;
  readonly clock: NodeClock;
  /** Runs in the process, if it still lives and as soon as it can. */
  readonly enter: (run: () => void) => void;
}): Time {
  const { loop, clock, enter } = process;
  const after = (ms: number, run: () => void): Event => {
    const event: Event = loop.after(clock.trueDelay(ms), () =>
      enter(() => {
        // What was due while the process was frozen may be cancelled by what was due before.
        if (!event.cancelled) run();
      }),
    );
    return event;
  };
  return {
    wallMs: () => clock.wallMs(loop.nowMs),
    nowMs: () => clock.monotonicMs(loop.nowMs),
    after: (ms, run) => {
      const event = after(ms, run);
      return () => void (event.cancelled = true);
    },
    every: (ms, run) => {
      let event: Event;
      const again = (): void => {
        event = after(ms, () => {
          again();
          run();
        });
      };
      again();
      return () => void (event.cancelled = true);
    },
    soon: (run) => void loop.soon(() => enter(run)),
  };
}
