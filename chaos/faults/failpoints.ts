/** A node that dies, stalls or fails at a named place of its own code. */
import { sites } from "../../cluster/failpoint.js";
import type { Action } from "../arming.js";
import type { Fault } from "../fault.js";

const group = "failpoint";

function fault(name: string, weight: number, action: (ms: number) => Action): Fault {
  return {
    ...{ name, group, weight, holdMs: [1500, 5000] },
    async inflict({ cluster, random, note }) {
      const id = random.chance(0.6) ? await cluster.leader() : random.pick(cluster.ids);
      const armed = { site: random.pick(sites), action: action(random.between(100, 2500)), after: random.below(20) };
      await cluster.arm(id, armed);
      note(`${id} at ${armed.site}: ${JSON.stringify(armed.action)} after ${armed.after} passes`);
      return async () => {
        const end = cluster.endOf(id);
        if (armed.action.kind !== "sleep") note(end === undefined ? "it was not passed" : `${id} ended: ${end}`);
        await cluster.arm(id, null);
        cluster.launch(id);
      };
    },
  };
}

export const failpointFaults: readonly Fault[] = [
  fault("failpoint-exit", 4, () => ({ kind: "exit" })),
  fault("failpoint-sleep", 2, (ms) => ({ kind: "sleep", ms })),
  fault("failpoint-throw", 2, () => ({ kind: "throw" })),
];
