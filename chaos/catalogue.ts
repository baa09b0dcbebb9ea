/** All faults and all workloads by name. */
import type { Target } from "./client.js";
import type { Fault } from "./fault.js";
import { badLinkFaults } from "./faults/bad-links.js";
import { clockFaults } from "./faults/clocks.js";
import { diskFaults } from "./faults/disks.js";
import { failpointFaults } from "./faults/failpoints.js";
import { linkFaults } from "./faults/links.js";
import { memberFaults, wipe } from "./faults/members.js";
import { processFaults } from "./faults/processes.js";
import type { Workload } from "./workload.js";
import { bank } from "./workloads/bank.js";
import { callbacks } from "./workloads/callbacks.js";
import { creates } from "./workloads/creates.js";
import { leases } from "./workloads/leases.js";
import { lists } from "./workloads/lists.js";
import { queue } from "./workloads/queue.js";
import { race } from "./workloads/race.js";
import { register } from "./workloads/register.js";
import { rendezvous } from "./workloads/rendezvous.js";
import { timers } from "./workloads/timers.js";

export const faults: readonly Fault[] = [
  ...processFaults,
  ...linkFaults,
  ...badLinkFaults,
  ...diskFaults,
  wipe,
  ...clockFaults,
  ...failpointFaults,
  ...memberFaults,
];

export interface WorkloadSetting {
  /** Nobody tampers with the clocks. */
  readonly trueClocks: boolean;
  /** Where callbacks reach this process. */
  readonly callbackHost: string;
}

type Open = (target: Target, setting: WorkloadSetting) => Workload | Promise<Workload>;

export const workloads: Readonly<Record<string, Open>> = {
  creates,
  register,
  queue,
  rendezvous,
  race,
  bank,
  lists,
  leases,
  timers: (target, { trueClocks }) => timers(target, trueClocks),
  callbacks: (target, { callbackHost }) => callbacks(target, callbackHost),
};

/** Those of `names`, all if undefined; `names` may also be names of groups. @throws Error naming what there is not */
export function chooseFaults(names: readonly string[] | undefined): readonly Fault[] {
  if (names === undefined) return faults;
  return names.flatMap((name) => {
    const found = faults.filter((fault) => fault.name === name || fault.group === name);
    if (found.length === 0)
      throw new Error(`there is no fault ${name}; there are ${faults.map((one) => one.name).join(", ")}`);
    return found;
  });
}

/** @throws Error naming what there is not */
export function chooseWorkloads(names: readonly string[] | undefined): readonly Open[] {
  return (names ?? Object.keys(workloads)).map((name) => {
    const open = workloads[name];
    if (open === undefined)
      throw new Error(`there is no workload ${name}; there are ${Object.keys(workloads).join(", ")}`);
    return open;
  });
}
