/**
 * How flows and their steps are doing: a word for people and in `Vars`, a number for programs that want one.
 *
 * Source: the statuses of the `flow` package of micro, in its order.
 */
import { Failure } from "../client/errors.js";

/** The statuses of flows and steps, with their numbers. */
export const flowStatuses = { pending: 0, running: 1, failure: 2, success: 3, aborted: 4, suspend: 5 } as const;

/** The word for a status, as in `Vars`. */
export type FlowStatus = keyof typeof flowStatuses;

/**
 * The status of this number.
 * @throws Failure `no_status`
 */
export function flowStatusOf(value: number): FlowStatus {
  const found = Object.entries(flowStatuses).find(([, one]) => one === value);
  if (found === undefined) throw new Failure(`no status has the number ${value}`, { code: "no_status" });
  return found[0] as FlowStatus;
}

/**
 * The number of this status.
 * @throws Failure `no_status`
 */
export function flowStatusValue(name: string): number {
  if (Object.hasOwn(flowStatuses, name)) return flowStatuses[name as FlowStatus];
  throw new Failure(`no status is called ${JSON.stringify(name)}`, { code: "no_status" });
}
