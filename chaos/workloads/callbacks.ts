/** Processes woken by callback: every one takes each of its steps, whatever the receiver and the nodes do. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ChaosClient, type Target } from "../client.js";
import { loops, statePath, wrong, type Violation, type Workload } from "../workload.js";

export interface Called {
  readonly ID: string;
  readonly Version: number;
  readonly Data: { readonly n: number };
}

export interface Ended {
  readonly Status: string;
  readonly Data: { readonly n: number };
}

export const stepsEach = 8;
const paceMs = 60;
/** The receiver answers with an error, or not at all, this often. */
const errorRate = 0.05;
const silenceRate = 0.03;
/** Each try of the final look; the client repeats it. */
const waitSeconds = 30;
/** After the faults: pauses of the dispatcher, leases, and a machine that is busy. */
const looks = 6;

export async function callbacks(target: Target, host = "127.0.0.1"): Promise<Workload> {
  const client = new ChaosClient(target, "callback", 0);
  const calls: Called[] = [];
  const made: string[] = [];
  const found: Violation[] = [];
  const server = await receiver(host, (state) => calls.push(state));
  const { port } = server.address() as AddressInfo;
  const running = loops(1, paceMs, async (_, round) => {
    const id = `callback/${round}`;
    const body = {
      Data: { n: 0 },
      Selects: [{ ID: "1", Cases: [{ Op: 3, After: 20 }] }],
      Callback: { Type: 1, URI: `http://${host}:${port}/` },
    };
    const reply = await client.call("PUT", statePath(id), { body });
    if (reply.status === 200 || reply.status === 201) made.push(id);
    else found.push(wrong(`callback ${id}`, reply));
  });
  const ending = async (id: string): Promise<[string, Ended]> => {
    let state: Ended | undefined;
    for (let look = 0; look < looks && state?.Status !== "done"; look++) {
      const reply = await client.call("GET", statePath(id, `?wait=${waitSeconds}&until=done`), { waitSeconds });
      state = reply.body as Ended;
    }
    return [id, state as Ended];
  };
  return {
    name: "callbacks",
    stop: () => running.stop(),
    counts: () => ({ processes: made.length, calls: calls.length }),
    async violations() {
      const ended = await Promise.all(made.map(ending));
      await new Promise((resolve) => server.close(resolve).closeAllConnections());
      return [...found, ...checkCallbacks(ended, calls)];
    },
  };
}

/** In order of version, the count of a process never goes back; each ends with its last step. */
export function checkCallbacks(ended: readonly (readonly [string, Ended])[], calls: readonly Called[]): Violation[] {
  const found: Violation[] = [];
  for (const [id, state] of ended) {
    const { Status, Data } = state;
    if (Status !== "done") found.push({ kind: "stuck", what: `${id} ended as ${JSON.stringify(state)}` });
    else if (Data.n !== stepsEach) found.push({ kind: "lost", what: `${id} is done after ${Data.n} steps` });
  }
  const last = new Map<string, Called>();
  for (const call of [...calls].sort((a, b) => a.Version - b.Version)) {
    const before = last.get(call.ID);
    if (before !== undefined && call.Data.n < before.Data.n)
      found.push({ kind: "lost", what: `${call.ID} went back from ${before.Data.n} to ${call.Data.n}` });
    if (before?.Version === call.Version)
      found.push({ kind: "overlap", what: `${call.ID} was handed out twice at version ${call.Version}` });
    last.set(call.ID, call);
  }
  return found;
}

/** Answers with the next state; now and then with an error, or not at all. */
async function receiver(host: string, onCall: (state: Called) => void): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (text: string) => {
      const state = JSON.parse(text) as Called & { readonly Callback: unknown };
      onCall(state);
      const dice = Math.random();
      if (dice < silenceRate) return;
      if (dice < silenceRate + errorRate) return response.writeHead(500).end();
      const n = state.Data.n + 1;
      const selects = n < stepsEach ? [{ ID: "1", Cases: [{ Op: 3, After: 20 }] }] : [];
      response.setHeader("content-type", "application/json");
      return response.end(JSON.stringify({ Data: { n }, Selects: selects, Callback: state.Callback }));
    };
    // A call that was cut off is none.
    void read(request).then(answer, () => response.destroy());
  });
  server.listen(0, host);
  await new Promise((resolve) => server.once("listening", resolve));
  return server;
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
