/**
 * The links of one process to the others, as cluster/peers.ts gives them to a member.
 */
import type { OpenLinks } from "../cluster/start.js";
import type { Host } from "./link.js";
import type { Network } from "./network.js";
import type { Verdict } from "./verdict.js";

/** @param isGone the process has ended: nothing of it counts any more */
export function peersOf(
  host: Host,
  { network, verdict, isGone }: { network: Network; verdict: Verdict; isGone: () => boolean },
): Awaited<ReturnType<OpenLinks>> {
  return {
    send: (to, frame) => {
      if (!isGone()) verdict.guard(() => network.send(host, to, frame));
    },
    isUp: (to) => network.isUp(host, to),
    setMembers: (members, removed) => {
      const ids = members.map(({ id }) => id).filter((id) => id !== host.id);
      if (!isGone()) network.setMembers(host, ids, removed);
    },
    pull: (from, path, signal) => network.pull(host, from, path, signal),
    queuedBytes: () => 0,
    close: () => Promise.resolve(),
  };
}
