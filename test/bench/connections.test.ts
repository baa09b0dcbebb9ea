/**
 * The load's own connections, against servers that know the protocols well.
 */
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createServer2, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { Connection } from "../../scripts/bench/connection.js";
import { GrpcConnection } from "../../scripts/bench/grpc.js";

const loopback = "127.0.0.1";
const toClose: (() => void)[] = [];
afterEach(() => toClose.splice(0).forEach((close) => close()));

async function at(server: Server | Http2Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, loopback, resolve));
  toClose.push(() => server.close());
  return `http://${loopback}:${(server.address() as AddressInfo).port}`;
}

async function http(listener: RequestListener): Promise<Connection> {
  const connection = await Connection.open(await at(createServer(listener)));
  toClose.unshift(() => connection.close());
  return connection;
}

describe("HTTP", () => {
  test("sends method, path, headers and body, and reads answers of any length one after the other", async () => {
    const connection = await http((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const told = `${request.method} ${request.url} ${request.headersDistinct["request-id"]?.[0] ?? "-"} `;
        const body = Buffer.concat([Buffer.from(told), ...chunks]);
        response.writeHead(201, { "content-length": body.length }).end(body);
      });
    });
    for (const length of [0, 1, 100_000, 3_000_000, 5]) {
      const text = "é".repeat(length);
      const { status, body } = await connection.request("PUT", "/a?b=c", text, "Request-Id: 7\r\n");
      expect(status).toBe(201);
      expect(body.equals(Buffer.from(`PUT /a?b=c 7 ${text}`))).toBe(true);
    }
    expect((await connection.request("GET", "/")).body.toString()).toBe("GET / - ");
  });

  test("refuses what it cannot read, instead of reading it wrong", async () => {
    const connection = await http((_, response) => {
      response.write("a");
      response.end("b");
    });
    await expect(connection.request("GET", "/")).rejects.toThrow("without Content-Length");
    await expect(connection.request("GET", "/")).rejects.toThrow("without Content-Length");
  });

  test("fails when the server goes away", async () => {
    const connection = await http((request) => request.socket.destroy());
    await expect(connection.request("GET", "/")).rejects.toThrow("connection closed");
  });
});

describe("gRPC", () => {
  async function grpc(
    onCall: (stream: ServerHttp2Stream, path: string, message: Buffer) => void,
  ): Promise<GrpcConnection> {
    const server = createServer2();
    server.on("stream", (stream, headers) => {
      expect(headers).toMatchObject({ ":method": "POST", "content-type": "application/grpc", te: "trailers" });
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => onCall(stream, headers[":path"] ?? "", Buffer.concat(chunks)));
    });
    server.on("session", (session) => session.ping(() => undefined));
    const connection = await GrpcConnection.open(await at(server));
    toClose.unshift(() => connection.close());
    return connection;
  }

  function answer(stream: ServerHttp2Stream, message: Buffer): void {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([head, message]));
  }

  test("calls one after the other, beyond the windows of both sides", async () => {
    const connection = await grpc((stream, path, prefixed) => {
      expect(prefixed.readUInt32BE(1)).toBe(prefixed.length - 5);
      answer(stream, Buffer.concat([Buffer.from(path), prefixed.subarray(5), Buffer.alloc(100_000, "y")]));
    });
    for (let n = 0; n < 30; n++) {
      const message = Buffer.alloc(10_000 + n, "x");
      const got = await connection.call("/a.B/C", message);
      expect(got.equals(Buffer.concat([Buffer.from("/a.B/C"), message, Buffer.alloc(100_000, "y")]))).toBe(true);
    }
  });

  test("a call that is refused is an error", async () => {
    const connection = await grpc((stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "14" }, { endStream: true });
    });
    await expect(connection.call("/a.B/C", Buffer.alloc(3))).rejects.toThrow("without a message");
  });

  test("a message that needs more than one frame is refused", async () => {
    const connection = await grpc((stream) => stream.close());
    expect(() => connection.call("/a.B/C", Buffer.alloc(16_384))).toThrow("more than one frame");
  });
});
