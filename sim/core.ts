/**
 * Which nodes live on when the faults are over: enough for a quorum, whichever of the configurations wins that are under
 * way at that moment, and sometimes no more than that.
 */
import { decodeConfiguration, votersOf } from "../raft/configuration.js";
import type { Configuration, NodeId } from "../raft/types.js";
import type { SimNode } from "./node.js";
import type { Random } from "./random.js";
import type { Reference } from "./reference.js";

export interface Survivors {
  readonly nodes: readonly SimNode[];
  readonly reference: Reference;
}

/** @returns nobody when too few disks are sound */
export function drawCore({ nodes, reference }: Survivors, random: Random): readonly SimNode[] {
  const possible = configurations(nodes, reference).flatMap(withPromotions);
  const members = new Set(possible.flatMap((one) => one.members.map(({ id }) => id)));
  const sound = nodes.filter(({ id, disk }) => members.has(id) && !disk.isRotten && !disk.isRemoved && !disk.isWiped);
  const order = sound.map((node) => ({ node, at: random.next() })).sort((a, b) => a.at - b.at);
  const isSmall = random.chance(0.5);
  let core = order.map(({ node }) => node);
  // Who lost its records gets them from those, and may be among the living all the same.
  const suffices = (some: readonly SimNode[]): boolean => {
    const whole = some.filter(({ disk }) => !disk.lacksRecords);
    return possible.every((one) => isQuorum(whole, one));
  };
  if (!suffices(core)) return [];
  if (!isSmall) return core;
  for (const { node } of order) {
    const fewer = core.filter((one) => one !== node);
    if (suffices(fewer)) core = fewer;
  }
  return core;
}

/** The committed one, and those behind it that may still be. */
function configurations(nodes: readonly SimNode[], reference: Reference): readonly Configuration[] {
  const found = [reference.configuration];
  for (const { disk, raft } of nodes) {
    for (const { index, kind, data } of disk.entries) {
      const one = kind === undefined || index <= reference.index ? undefined : decodeConfiguration(data);
      if (one !== undefined) found.push(one);
    }
    // Not written yet.
    if (raft?.role === "leader" && raft.status().lastIndex > reference.index) found.push(raft.configuration);
  }
  return found;
}

/** A leader may promote learners that it heard a moment ago, whoever of them is gone now. */
function withPromotions(configuration: Configuration): readonly Configuration[] {
  const learner = configuration.members.find(({ voter }) => !voter);
  if (learner === undefined) return [configuration];
  const others = configuration.members.filter((one) => one !== learner);
  // Of one who stays a learner no more is needed here, so it may be left out.
  return [others, [...others, { ...learner, voter: true }]].flatMap((members) =>
    withPromotions({ ...configuration, members }),
  );
}

function isQuorum(nodes: readonly SimNode[], configuration: Configuration): boolean {
  const voters: readonly NodeId[] = votersOf(configuration);
  return 2 * nodes.filter(({ id }) => voters.includes(id)).length > voters.length;
}
