/**
 * A node behind a line, both ends in the process of a test: what lies between them is a real socket.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { Node } from "../../cluster/types.js";
import type { CoreCalls, WorkerCalls } from "../../ingress/calls.js";
import { coreAnswers } from "../../ingress/core-answers.js";
import { Line, type Answers } from "../../ingress/line.js";
import { RemoteNode } from "../../ingress/remote-node.js";

export interface Loop {
  /** As a worker has it. */
  readonly node: Node;
  readonly worker: Line<CoreCalls, WorkerCalls>;
  readonly core: Line<WorkerCalls, CoreCalls>;
  /** The end of the worker. */
  readonly socket: Socket;
  close(): void;
}

/** Two ends of one connection. */
export async function socketPair(): Promise<[Socket, Socket]> {
  const listener = createServer();
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const one = connect((listener.address() as AddressInfo).port, "127.0.0.1");
  const [other] = (await once(listener, "connection")) as [Socket];
  listener.close();
  return [one, other];
}

const idle: Answers<WorkerCalls> = {
  listen: (_, port) => Promise.resolve(port),
  metrics: () => Promise.resolve([]),
  drain: () => Promise.resolve(),
};

export async function behindLine(node: Node): Promise<Loop> {
  const [socket, coreEnd] = await socketPair();
  const served = coreAnswers(node);
  const core = new Line<WorkerCalls, CoreCalls>(coreEnd, {
    ...{ answers: served.answers, holdsBack: true, onClose: () => served.end() },
  });
  const worker = new Line<CoreCalls, WorkerCalls>(socket, {
    ...{ answers: idle, holdsBack: false, onClose: () => undefined },
  });
  return { node: new RemoteNode(node.id, worker), worker, core, socket, close: () => worker.close() };
}
