/**
 * What is measured. Every answer is checked for being right, not only for its status.
 */
import { callbacks } from "./callbacks.js";
import type { Connection } from "./connection.js";
import { percentile } from "./latency.js";
import { sdkSteps } from "./sdk.js";
import { expectAnswer, freshPrefix, holds, textOf, type Workload } from "./workload.js";

export type SlctWorkload = Workload<Connection>;

/** Each measure that runs on any number of connections. @param endpoints base URLs of the nodes */
export function workloads(connections: number, endpoints: readonly string[]): SlctWorkload[] {
  return [
    create("create 10 KB", 10 * 1024, connections),
    create("create 256 B", 256, connections),
    rendezvous(connections),
    steps(connections),
    callbacks(connections),
    sdkSteps(connections, endpoints),
    timers(connections),
    reads("linearizable GET 10 KB", 10 * 1024, connections),
    reads("linearizable GET 256 B", 256, connections),
    mixed(connections),
  ];
}

export function create(name: string, bytes: number, workers: number): SlctWorkload {
  const data = textOf(bytes);
  const prefix = freshPrefix("create");
  return {
    ...{ name, workers, writes: true, independent: true },
    step: async (connection, worker, round) => {
      const id = `${prefix}-${worker}-${round}`;
      const body = `{"Data":"${data}","Selects":[{"ID":"1","Cases":[{"Op":1,"Chan":"${id}"}]}]}`;
      const answer = await connection.request("PUT", `/state/${id}`, body);
      expectAnswer(answer.status === 201 && answer.body.includes('"Status":"waiting"'), name, answer.body);
      expectAnswer(answer.body.includes(`"ID":"${id}"`), name, answer.body);
      return 1;
    },
  };
}

/** Workers 2n and 2n+1 meet on a channel of their own: one sends, the other receives. */
export function rendezvous(connections: number): SlctWorkload {
  const data = textOf(256);
  const prefix = freshPrefix("pair");
  return {
    ...{ name: "rendezvous 256 B", workers: Math.max(2, connections), writes: true, independent: false },
    step: async (connection, worker, round) => {
      const chan = `${prefix}-${worker >> 1}`;
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
export function steps(connections: number): SlctWorkload {
  const data = textOf(10 * 1024);
  const again = `"Data":"${data}","Selects":[{"ID":"1","Cases":[{"Op":4}]}]`;
  const prefix = freshPrefix("step");
  return {
    ...{ name: "process step by poll 10 KB", workers: connections, writes: true, independent: false },
    step: async (connection, worker, round) => {
      const id = `${prefix}-${worker}.`;
      if (round === 0) {
        const created = await connection.request("PUT", `/state/${id}`, `{${again}}`);
        expectAnswer(created.status === 201, "create", created.body);
      }
      const polled = await connection.request("GET", `/state/poll?prefix=${id}&wait=30`);
      const lock = lockIn(polled.body);
      expectAnswer(lock !== undefined && polled.body.includes(`"ID":"${id}"`), "poll", polled.body);
      const put = await connection.request("PUT", `/state/${id}`, `{"Lock":"${lock}",${again}}`);
      expectAnswer(put.status === 200 && put.body.includes('"Status":"pending"'), "put back", put.body);
      return 1;
    },
  };
}

/**
 * Creates states with a timer of 100 ms; one worker in eight collects those that fired. How late they fired is counted in
 * log time, how late they were known here by the clock of the wall. Latency is that of the polls.
 */
export function timers(connections: number): SlctWorkload {
  const workers = Math.max(2, connections);
  const collectors = Math.max(1, workers >> 3);
  const firedMs: number[] = [];
  const knownMs: number[] = [];
  const prefix = `${freshPrefix("timer")}-`;
  const body = '{"Selects":[{"ID":"1","Cases":[{"Op":3,"After":100}]}]}';
  return {
    ...{ name: "timers 100 ms", workers, writes: true, independent: false },
    step: async (connection, worker, round) => {
      if (worker >= collectors) {
        const made = await connection.request("PUT", `/state/${prefix}${worker}-${round}`, body);
        expectAnswer(made.status === 201 && made.body.includes('"Status":"waiting"'), "timer", made.body);
        return 0;
      }
      const fired = await connection.request("GET", `/state/poll?prefix=${prefix}&wait=1&max=100&lease=3600`);
      const states = JSON.parse(fired.body.toString()) as FiredState[];
      const nowMs = Date.now();
      for (const { Selects, Results } of states) {
        const dueMs = Selects[0]?.Cases[0]?.At ?? Infinity;
        const lateMs = (Results[0]?.At ?? 0) - dueMs;
        expectAnswer(lateMs >= 0, "timer (early)", lateMs);
        firedMs.push(lateMs);
        knownMs.push(nowMs - dueMs);
      }
      return states.length;
    },
    figures: () => ({ firedLateP99Ms: percentile(firedMs, 0.99), knownLateP99Ms: percentile(knownMs, 0.99) }),
  };
}

interface FiredState {
  readonly Selects: readonly { readonly Cases: readonly { readonly At: number }[] }[];
  readonly Results: readonly { readonly At: number }[];
}

export function reads(name: string, bytes: number, connections: number): SlctWorkload {
  const id = freshPrefix("read");
  const data = textOf(bytes);
  const wanted = Buffer.from(`"Data":"${data}"`);
  return {
    ...{ name, workers: connections, writes: false, independent: true },
    setup: async (connection) => {
      const body = `{"Data":"${data}","Selects":[{"ID":"1","Cases":[{"Op":1,"Chan":"${id}"}]}]}`;
      const made = await connection.request("PUT", `/state/${id}`, body);
      expectAnswer(made.status === 201, "create", made.body);
    },
    step: async (connection) => {
      const got = await connection.request("GET", `/state/${id}`);
      expectAnswer(got.status === 200 && holds(got.body, wanted), "get", got.body);
      return 1;
    },
  };
}

/** The whole life of a process that runs once: created, looked at, taken, finished. Four operations. */
export function mixed(connections: number): SlctWorkload {
  const data = textOf(1024);
  const prefix = freshPrefix("mixed");
  return {
    ...{ name: "mixed 1 KB", workers: connections, writes: true, independent: true },
    step: async (connection, worker, round) => {
      const id = `${prefix}-${worker}-${round}.`;
      const body = `{"Data":"${data}","Selects":[{"ID":"1","Cases":[{"Op":4}]}]}`;
      const made = await connection.request("PUT", `/state/${id}`, body);
      expectAnswer(made.status === 201 && made.body.includes('"Status":"pending"'), "create", made.body);
      const got = await connection.request("GET", `/state/${id}`);
      expectAnswer(got.status === 200 && got.body.includes('"Status":"pending"'), "get", got.body);
      const polled = await connection.request("GET", `/state/poll?prefix=${id}&wait=30`);
      const lock = lockIn(polled.body);
      expectAnswer(lock !== undefined && polled.body.includes(data), "poll", polled.body);
      const put = await connection.request("PUT", `/state/${id}`, `{"Lock":"${lock}","Data":"end"}`);
      expectAnswer(put.status === 200 && put.body.includes('"Status":"done"'), "put back", put.body);
      return 4;
    },
  };
}

export function lockIn(body: Buffer): string | undefined {
  return /"Lock":"([^"]+)"/.exec(body.toString("latin1"))?.[1];
}
