/**
 * The parts of a node that deal with who is in the cluster and who leads it.
 */
import { LeadershipWatch } from "./leadership.js";
import { Members, removedText } from "./members.js";
import { Membership } from "./membership.js";
import type { Ground, Parts } from "./parts.js";

export function buildMembers(ground: Ground): Pick<Parts, "members" | "membership" | "leadership" | "onRemoved"> {
  const { config, hooks, opened, late, raft, applied, metrics, wake } = ground;
  const { time } = ground.environment;
  const { logger } = hooks;
  let isRemoved = false;
  const onRemoved = () => {
    if (isRemoved) return;
    isRemoved = true;
    const text = removedText(config.id);
    logger.warn({ event: "removed" }, text);
    late.member.abandon();
    if (hooks.onRemoved === undefined) hooks.onFatal(new Error(text));
    else hooks.onRemoved();
  };
  return {
    onRemoved,
    members: new Members({
      ...{ self: config.id, raft, applied, onRemoved },
      setMembers: (members, removed) => late.peers.setMembers(members, removed),
    }),
    membership: new Membership({
      ...{ self: config.id, raft, time, timeoutMs: config.requestTimeoutMs, wake },
      applied: () => opened.store.appliedIndex,
      send: (to, frame) => late.peers.send(to, frame),
    }),
    leadership: new LeadershipWatch({
      ...{ self: config.id, raft, time, graceMs: config.leaderGraceMs, logger },
      onLeader: () => {
        metrics.leaderChanges.inc();
        late.member.parts.board.tellAll();
      },
      observeSilence: (seconds) => metrics.silenceSeconds.observe(seconds),
    }),
  };
}
