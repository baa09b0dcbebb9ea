/** Wall clocks that are set wrong, by seconds or by an hour, or again and again. */
import { setTimeout as pause } from "node:timers/promises";
import type { Fault, Scene } from "../fault.js";
import type { Undo } from "../undo.js";

const group = "clock";
const missing = ({ clocks }: Scene) => (clocks === undefined ? "clocks cannot be shifted here" : undefined);
const jumpsMs = [-3_600_000, -60_000, -1000, 1000, 60_000, 3_600_000];

function shifted({ clocks, note }: Scene, id: string, byMs: number): Undo {
  note(`the clock of ${id} is set ${byMs} ms off`);
  clocks?.shift(id, byMs);
  return () => {
    clocks?.shift(id, 0);
    return Promise.resolve();
  };
}

export const clockFaults: readonly Fault[] = [
  {
    ...{ name: "clock-leader", group, weight: 2, holdMs: [2000, 8000], missing },
    inflict: async (scene) => shifted(scene, await scene.cluster.leader(), scene.random.pick(jumpsMs)),
  },
  {
    ...{ name: "clock-any", group, weight: 1, holdMs: [2000, 8000], missing },
    inflict: ({ cluster, random, ...rest }) => {
      const id = random.pick(cluster.ids);
      return Promise.resolve(shifted({ cluster, random, ...rest }, id, random.pick(jumpsMs)));
    },
  },
  {
    ...{ name: "clock-subcritical", group, weight: 1, holdMs: [3000, 8000], missing },
    inflict({ cluster, clocks, random, note }) {
      const shifts = cluster.ids.map((id) => [id, random.between(-200, 200)] as const);
      note(`clocks are off by ${shifts.map(([id, ms]) => `${id} ${ms} ms`).join(", ")}`);
      for (const [id, ms] of shifts) clocks?.shift(id, ms);
      return Promise.resolve(() => {
        for (const id of cluster.ids) clocks?.shift(id, 0);
        return Promise.resolve();
      });
    },
  },
  {
    ...{ name: "clock-strobe", group, weight: 1, holdMs: [2000, 5000], missing },
    async inflict({ cluster, clocks, note }) {
      const leader = await cluster.leader();
      note(`the clock of ${leader} jumps forth and back every 20 ms`);
      let over = false;
      const done = (async () => {
        for (let n = 0; !over; n++) {
          clocks?.shift(leader, n % 2 === 0 ? 5000 : 0);
          await pause(20);
        }
      })();
      return async () => {
        over = true;
        await done;
        clocks?.shift(leader, 0);
      };
    },
  },
  {
    ...{ name: "clock-skewed-failover", group, weight: 1, holdMs: [1000, 4000], missing },
    async inflict(scene) {
      const { cluster, random } = scene;
      // The next leader has another clock than the one that dies.
      const leader = await cluster.leader();
      const undo = shifted(scene, leader, random.pick(jumpsMs));
      await pause(500);
      scene.note(`kill ${leader}`);
      await cluster.signal(leader, "SIGKILL");
      return async () => {
        await undo();
        cluster.launch(leader);
      };
    },
  },
];
