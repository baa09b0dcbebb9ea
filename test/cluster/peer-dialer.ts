/**
 * Dials a peer port by hand, rightly or wrongly.
 */
import { connect, type Socket } from "node:net";
import { expect } from "vitest";
import { greetingSum } from "../../cluster/peer-handshake.js";
import { onCleanUp } from "./cleanup.js";

export const hello = (change: Record<string, string | undefined> = {}): Record<string, string | undefined> => ({
  connection: "Upgrade",
  upgrade: "slct-peer/3",
  "slct-cluster": "c",
  "slct-node": "b",
  "slct-to": "a",
  "slct-instance": "instance-b",
  "slct-epoch": "1",
  "slct-lane": "control",
  ...change,
});

/** With the checksum that belongs to the headers, unless they bring one of their own. */
export function head(headers: Record<string, string | undefined>, line = "GET /peer HTTP/1.1"): string {
  const all = { host: "a", "slct-sum": greetingSum(headers), ...headers };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  return `${line}\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/** Writes, and reads until the other side closes or the head of an answer is complete. */
export async function exchange(port: number, bytes: string | Buffer): Promise<{ answer: string; socket: Socket }> {
  const socket = connect(port, "127.0.0.1");
  onCleanUp(() => void socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.write(bytes);
  let answer = "";
  await new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString("latin1");
      if (answer.includes("\r\n\r\n")) resolve();
    });
    socket.on("close", () => resolve());
  });
  return { answer, socket };
}

/** Resolves when the socket is closed, be it by a reset: who closes a link does not read what is still on its way. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}

export async function dial(port: number, headers: Record<string, string | undefined>): Promise<Socket> {
  const { answer, socket } = await exchange(port, head(headers));
  expect(answer).toMatch(/^HTTP\/1\.1 101 /);
  return socket;
}
