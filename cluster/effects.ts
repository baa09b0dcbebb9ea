/**
 * Where the effects of an applied entry go on this node: to those who wait for them, to the clock hand, to the feed.
 */
import type { Effect } from "../src/select/outcome.js";
import type { Parts } from "./parts.js";

export function spreadEffect(parts: Parts, effect: Effect, { index, nowMs }: { index: number; nowMs: number }): void {
  const { waits, timers, feed, metrics } = parts;
  switch (effect.kind) {
    case "armed":
      return timers.onArmed(effect.key);
    case "granted":
      metrics.statesHandedOut.inc(effect.handOuts.length);
      if (isForCallbacks(parts, effect)) return;
      return waits.onEffect(effect, index);
    case "answered":
    case "withdrawn":
      return waits.onEffect(effect, index);
    case "state":
      if (effect.type === "state.resolved") metrics.statesResolved.inc();
      if (effect.type === "state.paused") metrics.statesPaused.inc();
      return feed.onEffect(effect, index, nowMs);
    case "chan":
      return feed.onEffect(effect, index, nowMs);
  }
}

function isForCallbacks(parts: Parts, { demand, handOuts }: Extract<Effect, { kind: "granted" }>): boolean {
  const { config, epoch, callbacks } = parts;
  const ref = demand.holders.find((holder) => holder.node === config.id && holder.epoch === epoch);
  return ref !== undefined && callbacks.onGranted(demand, ref, handOuts);
}
