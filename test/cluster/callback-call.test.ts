import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import type { CallResult } from "../../cluster/callback-call.js";
import { answered, call, createCaller } from "./caller-bench.js";
import { cleanUp, onCleanUp } from "./cleanup.js";
import { receive } from "./receiver.js";

afterEach(cleanUp);

describe("one call", () => {
  it("posts the body with its headers and takes no encoding", async () => {
    const receiver = await receive((_, response) => response.end('{"ID":"a","Selects":[]}'));
    const result = await call(createCaller(), receiver.url);
    expect(result).toEqual({ kind: "state", body: Buffer.from('{"ID":"a","Selects":[]}') });
    expect(receiver.calls).toHaveLength(1);
    expect(receiver.calls[0]).toMatchObject({ method: "POST", path: "/hook", body: Buffer.from('{"ID":"a"}') });
    expect(receiver.calls[0]?.headers).toMatchObject({
      host: `127.0.0.1:${receiver.port}`,
      "content-type": "application/json",
      "content-length": "10",
      "accept-encoding": "identity",
      "webhook-id": "a:1",
    });
  });

  it.each<[number, Record<string, string>, string, CallResult]>([
    [202, {}, "later", { kind: "accepted" }],
    [204, {}, "", { kind: "accepted" }],
    [410, {}, "", { kind: "gone" }],
    [200, {}, "", { kind: "failed", error: "answered 200 without a state", unreachable: false }],
    [201, {}, "{}", { kind: "failed", error: "answered 201", unreachable: false }],
    [
      301,
      { location: "/x" },
      "",
      { kind: "failed", error: "answered 301: redirects are not followed", unreachable: false },
    ],
    [
      302,
      { location: "/x" },
      "",
      { kind: "failed", error: "answered 302: redirects are not followed", unreachable: false },
    ],
    [
      307,
      { location: "/x" },
      "",
      { kind: "failed", error: "answered 307: redirects are not followed", unreachable: false },
    ],
    [
      308,
      { location: "/x" },
      "",
      { kind: "failed", error: "answered 308: redirects are not followed", unreachable: false },
    ],
    [400, {}, "secret of the answer", { kind: "failed", error: "answered 400", unreachable: false }],
    [404, {}, "", { kind: "failed", error: "answered 404", unreachable: false }],
    [
      500,
      { "retry-after": "7" },
      "",
      { kind: "failed", error: "answered 500", unreachable: false, retryAfterMs: 7000 },
    ],
    [429, { "retry-after": "2" }, "", { kind: "failed", error: "answered 429", unreachable: true, retryAfterMs: 2000 }],
    [503, { "retry-after": "x" }, "", { kind: "failed", error: "answered 503", unreachable: true }],
  ])("answered with %d %j", async (status, headers, body, expected) => {
    const receiver = await receive((_, response) => response.writeHead(status, headers).end(body));
    expect(await call(createCaller(), receiver.url)).toEqual(expected);
    expect(receiver.calls).toHaveLength(1);
  });

  it("does not inflate", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const result = await answered((_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb), {
      responseBytesMax: 1024 * 1024,
    });
    expect(result).toEqual({ kind: "failed", error: "the answer is compressed", unreachable: false });
  });

  it("takes an answer of exactly the limit, and none beyond it, announced or not", async () => {
    const send = (bytes: number, announced: boolean) =>
      answered((_, response) => {
        if (announced) response.setHeader("content-length", bytes);
        response.write("1");
        response.end(Buffer.alloc(bytes - 1, "1"));
      });
    const tooLarge = { kind: "failed", error: "the answer is too large", unreachable: false };
    expect(await send(1000, true)).toMatchObject({ kind: "state" });
    expect(await send(1000, false)).toMatchObject({ kind: "state" });
    expect(await send(1001, true)).toEqual(tooLarge);
    expect(await send(1001, false)).toEqual(tooLarge);
  });

  it("cuts an endless answer off", async () => {
    let closed: Promise<unknown> | undefined;
    const result = await answered((_, response, socket) => {
      closed = once(socket, "close");
      const more = () => {
        if (!socket.destroyed) response.write(Buffer.alloc(100), () => setImmediate(more));
      };
      more();
    });
    expect(result).toEqual({ kind: "failed", error: "the answer is too large", unreachable: false });
    await closed;
  });

  it("ends an answer that drips at the deadline", async () => {
    const result = await answered(
      (_, response, socket) => {
        const drip = setInterval(() => response.write("1"), 5);
        socket.on("close", () => clearInterval(drip));
      },
      { timeoutMs: 100 },
    );
    expect(result).toEqual({ kind: "failed", error: "not answered within the deadline", unreachable: true });
  });

  it("ends an answer that stops halfway", async () => {
    const result = await answered((_, response) => response.write("{"), { idleMs: 30 });
    expect(result).toEqual({ kind: "failed", error: "the answer stopped halfway", unreachable: false });
  });

  it("ends a call that is never answered", async () => {
    const result = await answered(() => undefined, { timeoutMs: 50 });
    expect(result).toEqual({ kind: "failed", error: "not answered within the deadline", unreachable: true });
  });

  it("ends when it is aborted", async () => {
    const stop = new AbortController();
    const receiver = await receive(() => stop.abort());
    const result = await call(createCaller(), receiver.url, stop.signal);
    expect(result).toEqual({ kind: "failed", error: "the node that called was stopped", unreachable: false });
    expect(await call(createCaller(), receiver.url, stop.signal)).toEqual(result);
    expect(receiver.calls).toHaveLength(1);
  });

  it("reports a refused connection", async () => {
    const receiver = await receive(() => undefined);
    const { url } = receiver;
    await receiver.close();
    const result = await call(createCaller(), url);
    expect(result).toEqual({ kind: "failed", error: "connection refused", unreachable: true });
  });
});

/** A server of bytes, for what node:http would not send. */
async function raw(answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => socket.destroy()));
    socket.once("data", () => answer(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onCleanUp(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

describe("an answer that is no HTTP", () => {
  const notHttp = { kind: "failed", error: "the answer is not valid HTTP", unreachable: false };
  const closed = { kind: "failed", error: "connection closed before the answer was complete", unreachable: true };

  it.each<[string, (socket: Socket) => void, CallResult]>([
    ["garbage", (socket) => socket.end("garbage\r\n\r\n"), notHttp as CallResult],
    [
      "headers without end",
      (socket) => socket.write(`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(20_000)}`),
      notHttp as CallResult,
    ],
    ["one header of 1 MB", (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(1e6)}`), notHttp as CallResult],
    ["nothing", (socket) => socket.end(), closed as CallResult],
    ["a reset", (socket) => socket.resetAndDestroy(), closed as CallResult],
    ["half a body", (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"), closed as CallResult],
    [
      "an upgrade",
      (socket) => socket.write("HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
      closed as CallResult,
    ],
  ])("%s", async (_, answer, expected) => {
    expect(await call(createCaller(), await raw(answer))).toEqual(expected);
  });
});
