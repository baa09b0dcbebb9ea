/**
 * Bytes to a server and back, for requests that no HTTP client would send.
 */
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { expect } from "vitest";

export interface RawAnswer {
  /** 0: the connection was closed without an answer. */
  readonly status: number;
  readonly head: string;
  readonly body: string;
  /** Everything that came. */
  readonly text: string;
}

/** Sends all parts at once and reads until the server closes. */
export async function exchangeRaw(port: number, request: string | readonly string[]): Promise<RawAnswer> {
  const socket = connect(port, "127.0.0.1");
  for (const part of typeof request === "string" ? [request] : request) socket.write(part, "latin1");
  return readAll(socket);
}

export async function readAll(socket: Socket): Promise<RawAnswer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  // A server that closes while we still send resets the connection: what it said before counts.
  socket.on("error", () => undefined);
  await once(socket, "close");
  return parseAnswer(Buffer.concat(chunks).toString("latin1"));
}

function parseAnswer(text: string): RawAnswer {
  const [head = "", body = ""] = text.split("\r\n\r\n", 2);
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), head, body, text };
}

/** A problem document of this code. */
export function expectRefusal(
  answer: { status: number; head: string; body: string },
  status: number,
  code: string,
): void {
  expect(answer.status).toBe(status);
  expect(answer.head).toContain("application/problem+json");
  expect(answer.head).toMatch(/^Slct-Index: \d+\r?$/im);
  expect((JSON.parse(answer.body) as { code: string }).code).toBe(code);
}
