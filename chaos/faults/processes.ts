/** Nodes that die, are stopped, or are restarted. */
import { setTimeout as pause } from "node:timers/promises";
import { someNode, type Fault, type Scene } from "../fault.js";
import type { Undo } from "../undo.js";

const group = "process";

/** kill -9; they come back together. */
async function kill({ cluster, note }: Scene, ids: readonly string[]): Promise<Undo> {
  note(`kill ${ids.join(" ")}`);
  await Promise.all(ids.map((id) => cluster.signal(id, "SIGKILL")));
  return () => Promise.resolve(ids.forEach((id) => cluster.launch(id)));
}

async function freeze({ cluster, note }: Scene, ids: readonly string[]): Promise<Undo> {
  note(`stop ${ids.join(" ")}`);
  for (const id of ids) await cluster.signal(id, "SIGSTOP");
  return async () => {
    for (const id of ids) await cluster.signal(id, "SIGCONT");
  };
}

/** As many as it takes, the leader among them. */
async function majority({ cluster, random }: Scene): Promise<string[]> {
  const leader = await cluster.leader();
  const others = random.shuffled(cluster.ids.filter((id) => id !== leader));
  return [leader, ...others].slice(0, Math.floor(cluster.ids.length / 2) + 1);
}

export const processFaults: readonly Fault[] = [
  {
    ...{ name: "kill-leader", group, weight: 4, holdMs: [500, 4000] },
    inflict: async (scene) => kill(scene, [await scene.cluster.leader()]),
  },
  {
    ...{ name: "kill-follower", group, weight: 2, holdMs: [500, 4000] },
    inflict: async (scene) => kill(scene, [someNode(scene, await scene.cluster.leader())]),
  },
  {
    ...{ name: "kill-majority", group, weight: 2, holdMs: [500, 2000] },
    inflict: async (scene) => kill(scene, await majority(scene)),
  },
  {
    ...{ name: "kill-all", group, weight: 2, holdMs: [0, 1000] },
    inflict: (scene) => kill(scene, scene.random.shuffled(scene.cluster.ids)),
  },
  {
    ...{ name: "stop-leader", group, weight: 2, holdMs: [300, 4000] },
    inflict: async (scene) => freeze(scene, [await scene.cluster.leader()]),
  },
  {
    ...{ name: "stop-follower", group, weight: 1, holdMs: [300, 4000] },
    inflict: async (scene) => freeze(scene, [someNode(scene, await scene.cluster.leader())]),
  },
  {
    ...{ name: "stop-majority", group, weight: 1, holdMs: [300, 3000] },
    inflict: async (scene) => freeze(scene, await majority(scene)),
  },
  {
    ...{ name: "stop-kill", group, weight: 1, holdMs: [500, 3000] },
    async inflict(scene) {
      const leader = await scene.cluster.leader();
      await freeze(scene, [leader]);
      await pause(scene.random.between(200, 2000));
      return kill(scene, [leader]);
    },
  },
  {
    ...{ name: "restart", group, weight: 2, holdMs: [0, 1000] },
    async inflict({ cluster, random, note }) {
      const id = random.pick(cluster.ids);
      note(`restart ${id}`);
      await cluster.stop(id);
      return () => Promise.resolve(cluster.launch(id));
    },
  },
  {
    ...{ name: "rolling-restart", group, weight: 1, holdMs: [0, 0] },
    async inflict({ cluster, random, note }) {
      const ids = random.shuffled(cluster.ids);
      note(`restart ${ids.join(", then ")}`);
      for (const id of ids) {
        await cluster.stop(id);
        // What else is broken may keep it down.
        await cluster.start(id).catch(() => note(`${id} did not come up`));
      }
      return () => Promise.resolve();
    },
  },
];
