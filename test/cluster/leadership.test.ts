import { expect, it } from "vitest";
import { LeadershipWatch } from "../../cluster/leadership.js";
import { systemTime } from "../../cluster/environment.js";
import type { Message } from "../../raft/types.js";
import { appendEntries, heartbeat, heartbeatResponse } from "../raft/messages.js";

/** n1, which follows `raft.leader`, by a clock that the test moves. */
function follow() {
  const raft = { leader: null as string | null, term: 0 };
  const silences: number[] = [];
  let nowMs = 0;
  const watch = new LeadershipWatch({
    ...{ self: "n1", raft, graceMs: 2000, logger: { info: () => undefined }, onLeader: () => undefined },
    time: { ...systemTime, nowMs: () => nowMs },
    observeSilence: (seconds) => silences.push(seconds),
  });
  const hear = (afterMs: number, message: Message) => {
    nowMs += afterMs;
    watch.onMessage(message);
  };
  return { raft, silences, hear };
}

it("the silence of a leader lasts from one message of its term to the next", () => {
  const { raft, silences, hear } = follow();
  Object.assign(raft, { leader: "n2", term: 3 });
  hear(500, heartbeat(3));
  hear(100, heartbeat(3));
  hear(30, appendEntries(3, [0, 0], []));
  hear(70, heartbeat(3));
  expect(silences).toEqual([0.1, 0.03, 0.07]);
});

it("neither others nor an earlier term count, and the next leader begins anew", () => {
  const { raft, silences, hear } = follow();
  Object.assign(raft, { leader: "n2", term: 3 });
  hear(0, heartbeat(3));
  hear(50, heartbeatResponse(3, 1, "n2"));
  hear(50, heartbeat(2, { from: "n3" }));
  hear(50, heartbeat(3));
  expect(silences).toEqual([0.15]);
  Object.assign(raft, { leader: "n3", term: 4 });
  hear(900, heartbeat(4, { from: "n3" }));
  expect(silences).toEqual([0.15]);
  hear(200, heartbeat(4, { from: "n3" }));
  expect(silences).toEqual([0.15, 0.2]);
});
