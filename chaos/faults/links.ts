/** Networks that are cut, one way or both, or that come and go. On any kind of network. */
import { setTimeout as pause } from "node:timers/promises";
import { someNode, type Fault, type Scene } from "../fault.js";
import { undoAll, type Undo } from "../undo.js";

const group = "network";

async function oneWay({ cluster }: Scene, id: string, direction: "deaf" | "mute"): Promise<Undo> {
  const others = cluster.ids.filter((other) => other !== id);
  const cut = (other: string) =>
    direction === "deaf" ? cluster.network.cutOneWay(other, id) : cluster.network.cutOneWay(id, other);
  return undoAll(await Promise.all(others.map(cut)));
}

/** From its peers; the clients still reach it. */
async function isolate({ cluster, note }: Scene, id: string): Promise<Undo> {
  note(`cut ${id} off from the other nodes`);
  return cluster.network.cut(
    [id],
    cluster.ids.filter((other) => other !== id),
  );
}

/** Cuts and heals every `periodMs` until it is undone. */
function flapping(periodMs: number, cut: () => Promise<Undo>): Undo {
  let over = false;
  const done = (async () => {
    while (!over) {
      const undo = await cut();
      await pause(periodMs / 2);
      await undo();
      await pause(periodMs / 2);
    }
  })();
  return async () => {
    over = true;
    await done;
  };
}

export const linkFaults: readonly Fault[] = [
  {
    ...{ name: "isolate-leader", group, weight: 3, holdMs: [500, 6000] },
    inflict: async (scene) => isolate(scene, await scene.cluster.leader()),
  },
  {
    ...{ name: "isolate-follower", group, weight: 2, holdMs: [500, 6000] },
    inflict: async (scene) => isolate(scene, someNode(scene, await scene.cluster.leader())),
  },
  {
    ...{ name: "unplug-leader", group, weight: 2, holdMs: [500, 5000] },
    async inflict({ cluster, note }) {
      const leader = await cluster.leader();
      note(`unplug ${leader}`);
      return cluster.network.unplug(leader);
    },
  },
  {
    // Source: the outage of Cloudflare of 2020-11-02: two that do not see each other, and one that sees both.
    ...{ name: "triangle", group, weight: 3, holdMs: [5000, 12_000] },
    async inflict({ cluster, random, note }) {
      const leader = await cluster.leader();
      const [other = "", bridge = ""] = random.shuffled(cluster.ids.filter((id) => id !== leader));
      note(`cut ${leader} and ${other} from each other; ${bridge} sees both`);
      return cluster.network.cut([leader], [other]);
    },
  },
  {
    ...{ name: "leader-deaf", group, weight: 2, holdMs: [2000, 6000] },
    async inflict(scene) {
      const leader = await scene.cluster.leader();
      scene.note(`${leader} hears nobody`);
      return oneWay(scene, leader, "deaf");
    },
  },
  {
    ...{ name: "leader-mute", group, weight: 2, holdMs: [2000, 6000] },
    async inflict(scene) {
      const leader = await scene.cluster.leader();
      scene.note(`nobody hears ${leader}`);
      return oneWay(scene, leader, "mute");
    },
  },
  {
    ...{ name: "follower-deaf", group, weight: 1, holdMs: [2000, 6000] },
    async inflict(scene) {
      const follower = someNode(scene, await scene.cluster.leader());
      scene.note(`${follower} hears nobody`);
      return oneWay(scene, follower, "deaf");
    },
  },
  {
    ...{ name: "follower-mute", group, weight: 1, holdMs: [2000, 6000] },
    async inflict(scene) {
      const follower = someNode(scene, await scene.cluster.leader());
      scene.note(`nobody hears ${follower}`);
      return oneWay(scene, follower, "mute");
    },
  },
  {
    ...{ name: "split-all", group, weight: 1, holdMs: [500, 3000] },
    async inflict({ cluster, note }) {
      note("no node sees another");
      const cuts = cluster.ids.map((id, n) => cluster.network.cut([id], cluster.ids.slice(n + 1)));
      return undoAll(await Promise.all(cuts));
    },
  },
  {
    // Source: the majority-ring of Jepsen: every node sees a majority, and no two see the same one.
    ...{ name: "ring", group, weight: 1, holdMs: [3000, 8000] },
    missing: ({ cluster }) => (cluster.ids.length < 5 ? "it takes five nodes" : undefined),
    async inflict({ cluster, random, note }) {
      const ring = random.shuffled(cluster.ids);
      note(`each sees its neighbours only: ${ring.join(", ")}`);
      const isApart = (a: number, b: number) => b - a > 1 && b - a < ring.length - 1;
      const pairs = ring.flatMap((one, a) =>
        ring.filter((_, b) => isApart(a, b)).map((other) => [one, other] as const),
      );
      return undoAll(await Promise.all(pairs.map(([one, other]) => cluster.network.cut([one], [other]))));
    },
  },
  {
    ...{ name: "flap", group, weight: 2, holdMs: [4000, 10_000] },
    async inflict({ cluster, random, note }) {
      const leader = await cluster.leader();
      const other = random.pick(cluster.ids.filter((id) => id !== leader));
      const periodMs = random.between(50, 1500);
      note(`${leader} and ${other} see each other every other ${Math.round(periodMs / 2)} ms`);
      return flapping(periodMs, () => cluster.network.cut([leader], [other]));
    },
  },
  {
    // Swizzle-clog of FoundationDB: one after the other is cut off, and they come back in another order.
    ...{ name: "swizzle", group, weight: 1, holdMs: [500, 2000] },
    async inflict({ cluster, random, note }) {
      const order = random.shuffled(cluster.ids);
      note(`cut off ${order.join(", then ")}`);
      const undos: Undo[] = [];
      for (const id of order) {
        undos.push(
          await cluster.network.cut(
            [id],
            cluster.ids.filter((other) => other !== id),
          ),
        );
        await pause(random.between(50, 700));
      }
      return async () => {
        for (const undo of random.shuffled(undos)) {
          await undo();
          await pause(random.between(50, 700));
        }
      };
    },
  },
];
