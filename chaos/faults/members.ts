/**
 * Members that come, go and lead by order. A change begins with the fault and is finished after what broke meanwhile is
 * healed: so any other fault can come while it is under way.
 */
import { rmSync } from "node:fs";
import { removable, type Fault, type Scene } from "../fault.js";
import { evict, grow, handOver } from "../operator.js";
import type { Undo } from "../undo.js";

const group = "members";
const transfers = 3;

/** What goes on in the background; undoing waits for its end. */
function underWay(work: Promise<unknown>): Undo {
  // Seen by who undoes it; until then it must not end the process.
  work.catch(() => undefined);
  return async () => void (await work);
}

/** One more, then one less: `leaver` is asked when the new one votes, and told who that is. */
async function swap(scene: Scene, leaver: (added: string) => Promise<string>): Promise<void> {
  const { cluster, note } = scene;
  const { id, outcome } = await grow(cluster);
  note(`${id} ${outcome}`);
  const leaving = await leaver(id);
  await evict(cluster, leaving);
  note(`${leaving} is removed`);
}

export const memberFaults: readonly Fault[] = [
  {
    ...{ name: "replace-any", group, weight: 3, holdMs: [200, 2500] },
    inflict: (scene) => Promise.resolve(underWay(swap(scene, (added) => Promise.resolve(removable(scene, added))))),
  },
  {
    ...{ name: "replace-leader", group, weight: 2, holdMs: [200, 2500] },
    inflict(scene) {
      const leaver = async (added: string) => {
        const leader = await scene.cluster.leader();
        return leader === scene.smallDisk ? removable(scene, added) : leader;
      };
      return Promise.resolve(underWay(swap(scene, leaver)));
    },
  },
  {
    ...{ name: "transfer", group, weight: 2, holdMs: [200, 2500] },
    inflict({ cluster, random, note }) {
      const order = async () => {
        for (let n = 0; n < transfers; n++) {
          const to = random.pick(cluster.ids);
          note(`${to} ${(await handOver(cluster, to)) ? "was" : "could not be"} made leader`);
        }
      };
      return Promise.resolve(underWay(order()));
    },
  },
];

/** In the group of the disks: only one disk is lost at a time. */
export const wipe: Fault = {
  ...{ name: "wipe", group: "disk", weight: 2, holdMs: [200, 2000] },
  async inflict(scene) {
    const { cluster, note } = scene;
    const id = removable(scene);
    await cluster.signal(id, "SIGKILL");
    await cluster.retire(id);
    rmSync(cluster.dataDir(id), { recursive: true });
    note(`${id} lost its disk`);
    return async () => {
      await evict(cluster, id);
      const { id: added, outcome } = await grow(cluster);
      note(`${added} ${outcome}, in its place`);
    };
  },
};
