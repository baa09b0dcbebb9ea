/**
 * Everything the clients of a run did, with monotonic times: ground for the checkers and for the figures.
 *
 * A request ends `ok` (done, or refused for a reason that the log decided), `fail` (certainly not done) or `info`: nobody
 * knows whether it was done, or when; its return then is at infinity. Source: the histories of Jepsen.
 */
import { performance } from "node:perf_hooks";

export type End = "ok" | "fail" | "info";

export interface Operation {
  readonly client: string;
  /** Method and route, or what a workload calls it. */
  readonly name: string;
  readonly invokedMs: number;
  returnedMs: number;
  end: End;
  /** The `Slct-Index` of the answer, if it is one that the log decided. */
  index?: number;
  /** It went into the log as an entry of its own. */
  readonly writes: boolean;
}

export class History {
  readonly operations: Operation[] = [];

  begin(client: string, name: string, writes: boolean): (end: End, index?: number) => void {
    const operation: Operation = {
      ...{ client, name, writes, invokedMs: performance.now() },
      ...{ returnedMs: Infinity, end: "info" },
    };
    this.operations.push(operation);
    let open = false;
    return (end, index) => {
      // A later try that was certainly not done says nothing about the earlier one.
      open ||= end === "info";
      operation.end = end === "fail" && open ? "info" : end;
      operation.returnedMs = operation.end === "info" ? Infinity : performance.now();
      if (index !== undefined) operation.index = index;
    };
  }

  count(end: End): number {
    return this.operations.reduce((sum, one) => sum + (one.end === end ? 1 : 0), 0);
  }
}
