/**
 * The parts of a node that carry requests: to the leader, into the log, and back to whoever waits or is called.
 */
import { CallbackDuty } from "./callback-duty.js";
import { openCallbacks, type Callbacks } from "./callbacks.js";
import { Feed } from "./feed.js";
import { Intake } from "./intake.js";
import type { Ground, Parts } from "./parts.js";
import { Proposals } from "./proposals.js";
import { Reads } from "./reads.js";
import { Timers } from "./timers.js";
import { Waits } from "./waits.js";

export function buildRequests(
  ground: Ground,
): Pick<Parts, "intake" | "proposals" | "reads" | "waits" | "timers" | "feed"> {
  const { config, opened, late, raft, environment, metrics, health, wake, clock, submit, onError } = ground;
  const { identity, log, store } = opened;
  const { id, requestTimeoutMs, proposalsMax, proposalBytesMax, waitsMax } = config;
  const { epoch } = identity;
  const { time } = environment;
  const applied = () => store.appliedIndex;
  const proposals = new Proposals({
    ...{ node: id, epoch, proposalsMax, proposalBytesMax, timeoutMs: requestTimeoutMs, wake, time },
    send: (leader, term, batch) => late.member.sendProposals(leader, term, batch),
    observe: (seconds) => metrics.commitSeconds.observe(seconds),
  });
  return {
    proposals,
    intake: new Intake({
      ...{ raft, clock, applied, congested: () => store.congested, limit: () => health.limit() },
      refuse: (origin, refused) =>
        origin === id ? proposals.refused(refused) : late.peers.send(origin, { kind: "refused", ...refused }),
    }),
    reads: new Reads({
      ...{ readsMax: waitsMax, timeoutMs: requestTimeoutMs, wake, time, applied },
      ask: (context) => raft.readIndex(context),
    }),
    waits: new Waits({
      ...{ node: id, epoch, waitsMax, replayedTo: log.lastIndex(), submit, onError, clock, time },
    }),
    timers: new Timers({
      ...{ store, clock, time, onError: ground.hooks.onFatal },
      submit: (command) => proposals.submit(command, late.member.leadership(), raft.term),
      observeLateness: (seconds) => metrics.timerLagSeconds.observe(seconds),
    }),
    feed: new Feed(config.eventsMax, store.appliedIndex, waitsMax, time),
  };
}

export function buildCallbacks(
  { config, hooks, environment, metrics, clock, submit }: Ground,
  waits: Waits,
): { callbacks: CallbackDuty; dispatcher: Callbacks } {
  const { time, random } = environment;
  const callbacks: CallbackDuty = new CallbackDuty({
    ...{ slots: config.callback.slots, leaseMs: config.settings.callbackLeaseMs, submit, time },
    newRef: () => waits.newRef(),
    take: (handOuts) => dispatcher.take(handOuts),
  });
  const dispatcher: Callbacks = openCallbacks({
    ...{ config: config.callback, nodeId: config.id, propose: submit },
    ...{ render: hooks.render, parse: hooks.parseReturned, random, now: clock },
    onFree: (slots) => callbacks.freed(slots),
    onEnd: (end) => metrics.callbacks.inc({ end }),
  });
  return { callbacks, dispatcher };
}
