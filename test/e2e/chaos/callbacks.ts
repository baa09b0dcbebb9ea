/** Processes woken by callback: every one takes each of its steps, whatever the receiver and the nodes do. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ChaosClient } from "./client.js";
import { loops, type Workload } from "./workload.js";

interface Called {
  readonly ID: string;
  readonly Version: number;
  readonly Data: { readonly n: number };
  readonly Callback: unknown;
}

const stepsEach = 8;

export async function callbacks(nodes: readonly string[]): Promise<Workload> {
  const client = new ChaosClient(nodes, "callback", 0);
  const calls: Called[] = [];
  const made: string[] = [];
  const wrong: string[] = [];
  const server = await receiver((state) => calls.push(state));
  const { port } = server.address() as AddressInfo;
  const running = loops(1, async (_, round) => {
    const id = `callback/${round}`;
    const { status, body } = await client.call("PUT", `/state/${encodeURIComponent(id)}`, {
      Data: { n: 0 },
      Selects: [{ ID: "1", Cases: [{ Op: 3, After: 20 }] }],
      Callback: { Type: 1, URI: `http://127.0.0.1:${port}/` },
    });
    if (status === 200 || status === 201) made.push(id);
    else wrong.push(`callback ${id}: ${status} ${JSON.stringify(body)}`);
    await new Promise((resolve) => setTimeout(resolve, 40));
  });
  return {
    name: "callbacks",
    async stop() {
      await running.stop();
    },
    counts: () => ({ processes: made.length, calls: calls.length }),
    async violations() {
      const expectDone = async (id: string) => {
        const { body } = await client.call("GET", `/state/${encodeURIComponent(id)}?wait=30&until=done`, undefined, 30);
        const { Status, Data } = body as Called & { Status: string };
        if (Status !== "done" || Data.n !== stepsEach) wrong.push(`${id} ended as ${JSON.stringify(body)}`);
      };
      await Promise.all(made.map(expectDone));
      wrong.push(...check(calls));
      await new Promise((resolve) => server.close(resolve).closeAllConnections());
      return wrong;
    },
  };
}

/** Answers with the next state; now and then with an error, or not at all. */
async function receiver(onCall: (state: Called) => void): Promise<Server> {
  const server = createServer((request, response) => {
    void read(request).then((text) => {
      const state = JSON.parse(text) as Called;
      onCall(state);
      const dice = Math.random();
      if (dice < 0.03) return;
      if (dice < 0.08) return response.writeHead(500).end();
      const n = state.Data.n + 1;
      const selects = n < stepsEach ? [{ ID: "1", Cases: [{ Op: 3, After: 20 }] }] : [];
      response.setHeader("content-type", "application/json");
      return response.end(JSON.stringify({ Data: { n }, Selects: selects, Callback: state.Callback }));
    });
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return server;
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** In order of Version, the count of a process never goes back. */
function check(calls: readonly Called[]): string[] {
  const wrong: string[] = [];
  const last = new Map<string, Called>();
  for (const call of [...calls].sort((a, b) => a.Version - b.Version)) {
    const before = last.get(call.ID);
    if (before !== undefined && call.Data.n < before.Data.n)
      wrong.push(`${call.ID} went back from ${before.Data.n} to ${call.Data.n}`);
    if (before?.Version === call.Version) wrong.push(`${call.ID} was handed out twice at version ${call.Version}`);
    last.set(call.ID, call);
  }
  return wrong;
}
