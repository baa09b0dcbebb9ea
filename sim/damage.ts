/**
 * What may happen to what is on a disk, and when it may: as many disks keep what they were given as a quorum needs. What is
 * lost on more is nobody's to recover.
 */
import type { SimConfig } from "./config.js";
import type { Disk } from "./disk.js";
import type { SimNode } from "./node.js";

/** A log record is not what was written. @returns false when it cannot be done, as all of them do */
export function rot({ disk }: SimNode, nodes: readonly SimNode[]): boolean {
  if (disk.entries.length === 0 || !canSpare(disk, nodes)) return false;
  disk.rottenIndex = disk.cut.index + Math.ceil(disk.entries.length / 2);
  return true;
}

/** The process finds its records damaged and ends; the next one begins without them. */
export function spoil(node: SimNode, nodes: readonly SimNode[]): boolean {
  const { disk } = node;
  if (disk.mark.index === 0 || !canSpare(disk, nodes)) return false;
  node.crash({ write: "lost", polite: true });
  disk.loseRecords();
  return true;
}

/**
 * The directory is emptied. Those who were there at the beginning could begin once more, and who never met a node cannot
 * tell it from another: neither is this cluster's to prevent.
 */
export function wipe(
  node: SimNode,
  { nodes, config }: { readonly nodes: readonly SimNode[]; readonly config: SimConfig },
): boolean {
  const { id, disk, instance } = node;
  const first = nodes.slice(0, config.nodes);
  const tooMany = first.filter((one) => one.disk.isWiped).length >= Math.floor((first.length - 1) / 2);
  const others = nodes.filter((one) => one !== node && one.disk.epoch > 0 && !one.disk.isRemoved);
  const isKnown = others.every((one) => one.disk.instances.get(id) === instance);
  if (disk.lastIndex === 0 || tooMany || !isKnown || !canSpare(disk, nodes)) return false;
  node.crash({ write: "lost", polite: false });
  disk.wipe();
  return true;
}

function canSpare(disk: Disk, nodes: readonly SimNode[]): boolean {
  const isBad = (one: Disk): boolean => one.isRotten || one.isWiped || one.lacksRecords;
  const bad = nodes.filter((one) => isBad(one.disk)).length;
  return !isBad(disk) && !disk.isRemoved && bad < Math.floor((nodes.length - 1) / 2);
}
