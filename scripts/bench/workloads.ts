/**
 * What is measured. Every answer is checked for being right, not only for its status.
 */
import type { Connection } from "./connection.js";

/** One worker's loop body; returns how many operations it completed. */
export type Step = (connection: Connection, worker: number, round: number) => Promise<number>;

export interface Workload {
  readonly name: string;
  /** Row of the targets. */
  readonly row: string;
  readonly unit: string;
  readonly workers: number;
  /** Prepares what the steps need. */
  readonly setup?: (connection: Connection) => Promise<void>;
  readonly step: Step;
  /** Extra figures, e.g. lateness, once the time is over. */
  readonly figures?: () => Readonly<Record<string, number>>;
}

export function expectAnswer(condition: boolean, what: string, seen: unknown): asserts condition {
  if (!condition) throw new Error(`wrong answer to ${what}: ${String(seen).slice(0, 300)}`);
}

const run = Date.now().toString(36);

function text(bytes: number): string {
  return "x".repeat(bytes);
}

function create(row: string, name: string, bytes: number, workers: number): Workload {
  const data = text(bytes);
  return {
    ...{ row, name, unit: "states", workers },
    step: async (connection, worker, round) => {
      const id = `${name.replaceAll(" ", "-")}-${run}-${worker}-${round}`;
      const body = `{"Data":"${data}","Selects":[{"ID":"1","Cases":[{"Op":1,"Chan":"${id}"}]}]}`;
      const answer = await connection.request("PUT", `/state/${id}`, body);
      expectAnswer(answer.status === 201 && answer.body.includes('"Status":"waiting"'), name, answer.body);
      return 1;
    },
  };
}

/** Workers 2n and 2n+1 meet on a channel of their own: one sends, the other receives. */
function rendezvous(workers: number): Workload {
  const data = text(256);
  return {
    ...{ row: "V3", name: "rendezvous 256 B", unit: "pairs", workers },
    step: async (connection, worker, round) => {
      const chan = `pair-${run}-${worker >> 1}`;
      const value = `{"n":${round},"text":"${data}"}`;
      if (worker % 2 === 0) {
        const sent = await connection.request("POST", `/channel/${chan}/send?wait=30`, `{"Data":${value}}`);
        expectAnswer(sent.status === 200 && sent.body.includes('"Ok":true'), "send", sent.body);
        return 1;
      }
      const received = await connection.request("POST", `/channel/${chan}/recv?wait=30`);
      expectAnswer(received.status === 200 && received.body.includes(`"Data":${value}`), "recv", received.body);
      return 0;
    },
  };
}

/** Each worker owns one process and polls for it; a default select makes it pending again. */
function steps(workers: number): Workload {
  const data = text(10 * 1024);
  const again = `"Data":"${data}","Selects":[{"ID":"1","Cases":[{"Op":4}]}]`;
  return {
    ...{ row: "V4", name: "process step by poll 10 KB", unit: "steps", workers },
    step: async (connection, worker, round) => {
      const id = `step-${run}-${worker}.`;
      if (round === 0) {
        const created = await connection.request("PUT", `/state/${id}`, `{${again}}`);
        expectAnswer(created.status === 201, "create", created.body);
      }
      const polled = await connection.request("GET", `/state/poll?prefix=${id}&wait=30`);
      const lock = /"Lock":"([^"]+)"/.exec(polled.body.toString("latin1"))?.[1];
      expectAnswer(
        polled.status === 200 && lock !== undefined && polled.body.includes(`"ID":"${id}"`),
        "poll",
        polled.body,
      );
      const put = await connection.request("PUT", `/state/${id}`, `{"Lock":"${lock}",${again}}`);
      expectAnswer(put.status === 200 && put.body.includes('"Status":"pending"'), "put back", put.body);
      return 1;
    },
  };
}

/** Creates states with a timer of 100 ms; a few workers collect those that fired. */
function timers(workers: number): Workload {
  const collectors = Math.max(1, workers >> 3);
  const lateness: number[] = [];
  const prefix = `timer-${run}-`;
  return {
    ...{ row: "V5", name: "timers 100 ms", unit: "timers fired", workers },
    step: async (connection, worker, round) => {
      if (worker >= collectors) {
        const id = `${prefix}${worker}-${round}`;
        const made = await connection.request(
          "PUT",
          `/state/${id}`,
          '{"Selects":[{"ID":"1","Cases":[{"Op":3,"After":100}]}]}',
        );
        expectAnswer(made.status === 201, "timer", made.body);
        return 0;
      }
      const fired = await connection.request("GET", `/state/poll?prefix=${prefix}&wait=1&max=100&lease=3600`);
      const states = JSON.parse(fired.body.toString()) as {
        Selects: { Cases: { At: number }[] }[];
        Results: { At: number }[];
      }[];
      for (const { Selects, Results } of states) {
        const late = (Results[0]?.At ?? 0) - (Selects[0]?.Cases[0]?.At ?? Infinity);
        expectAnswer(late >= 0, "timer (early)", late);
        lateness.push(late);
      }
      return states.length;
    },
    figures: () => ({ latenessP99Ms: percentile(lateness, 0.99) }),
  };
}

function reads(workers: number): Workload {
  const id = `read-${run}`;
  const data = text(10 * 1024);
  return {
    ...{ row: "V7", name: "linearizable GET 10 KB", unit: "reads", workers },
    setup: async (connection) => {
      const made = await connection.request(
        "PUT",
        `/state/${id}`,
        `{"Data":"${data}","Selects":[{"ID":"1","Cases":[{"Op":1,"Chan":"${id}"}]}]}`,
      );
      expectAnswer(made.status === 201, "create", made.body);
    },
    step: async (connection) => {
      const got = await connection.request("GET", `/state/${id}`);
      expectAnswer(got.status === 200 && got.body.includes(data), "get", got.body);
      return 1;
    },
  };
}

export function workloads(connections: number): Workload[] {
  return [
    create("V1", "create 10 KB", 10 * 1024, connections),
    create("V2", "create 256 B", 256, connections),
    rendezvous(connections),
    steps(connections),
    timers(connections),
    create("V6", "create 256 B c=1", 256, 1),
    reads(connections),
  ];
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
