import { once } from "node:events";
import { request } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { encodeFrame } from "../../cluster/frames.js";
import type { Frame } from "../../cluster/types.js";
import { cleanUp, onCleanUp } from "./cleanup.js";
import { closed, dial, exchange, head, hello } from "./peer-dialer.js";
import { contexts, forward, heartbeat, open } from "./peer-witness.js";

afterEach(cleanUp);

async function alone() {
  const members = ["a", "b"].map((id) => ({ id, peer: "127.0.0.1:1", api: "" }));
  return open("a", members);
}

/** From b to a, after an entry of term 1. */
function append(terms: readonly number[]): Frame {
  const entries = terms.map((term, at) => ({ index: 2 + at, term, data: Buffer.from("x") }));
  const position = { prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 0 };
  return { kind: "raft", message: { type: "AppendEntries", from: "b", to: "a", term: 3, ...position, entries } };
}

describe("the peer port", () => {
  it.each<[number, string, string]>([
    [412, "another cluster", head(hello({ "slct-cluster": "other" }))],
    [412, "no cluster", head(hello({ "slct-cluster": undefined }))],
    [421, "another node", head(hello({ "slct-to": "c" }))],
    [403, "a stranger who cannot be answered", head(hello({ "slct-node": "mallory" }))],
    [403, "a stranger with a senseless address", head(hello({ "slct-node": "mallory", "slct-peer": "h:0" }))],
    [403, "somebody who claims to be us", head(hello({ "slct-node": "a" }))],
    [400, "no name", head(hello({ "slct-node": undefined }))],
    [400, "a damaged name", head(hello({ "slct-node": "%zz" }))],
    [400, "no instance", head(hello({ "slct-instance": undefined }))],
    [400, "a damaged instance", head(hello({ "slct-instance": "a b" }))],
    [400, "no epoch", head(hello({ "slct-epoch": undefined }))],
    [400, "a negative epoch", head(hello({ "slct-epoch": "-1" }))],
    [400, "an epoch beyond the safe integers", head(hello({ "slct-epoch": "9007199254740993" }))],
    [400, "an unknown lane", head(hello({ "slct-lane": "fast" }))],
    [400, "a greeting without a checksum", head(hello({ "slct-sum": undefined }))],
    [400, "a greeting with another checksum", head(hello({ "slct-sum": "00000000" }))],
    [426, "another version", head(hello({ upgrade: "slct-peer/1" }))],
    [426, "another protocol", head(hello({ upgrade: "h2c" }))],
    [426, "no upgrade", head(hello({ upgrade: undefined, connection: undefined }))],
    [426, "an upgrade that is only named", head(hello({ connection: "keep-alive" }))],
    [404, "another path", head(hello(), "GET / HTTP/1.1")],
    [405, "another method", head(hello(), "POST /peer HTTP/1.1")],
    [400, "a body", head(hello({ "content-length": "5" }))],
    [405, "CONNECT", head({}, "CONNECT a:80 HTTP/1.1")],
    [417, "an expectation", head({ expect: "the-worst" }, "GET /peer HTTP/1.1")],
    [400, "no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00"],
    [400, "a frame", Buffer.concat(encodeFrame(heartbeat("b", "a")).pieces).toString("latin1")],
    [431, "20 KB of headers", head(hello({ filler: "x".repeat(20_000) }))],
  ])("answers %d to %s, reads nothing more and closes", async (status, _, bytes) => {
    const a = await alone();
    const frame = Buffer.concat(encodeFrame(heartbeat("b", "a")).pieces);
    const { answer, socket } = await exchange(a.peers.port, Buffer.concat([Buffer.from(bytes, "latin1"), frame]));
    expect(Number(answer.split(" ")[1])).toBe(status);
    await closed(socket);
    expect(a.frames).toEqual([]);
    expect(a.peers.stats().receivedBytes).toBe(0);
    expect(a.peers.stats().rejected).toBeGreaterThan(0);
  });

  it("I18 refuses a node of another cluster, whatever else it says", async () => {
    const a = await alone();
    for (const change of [{}, { "slct-lane": "bulk" }, { "slct-epoch": "9" }]) {
      const { answer } = await exchange(a.peers.port, head(hello({ ...change, "slct-cluster": "other" })));
      expect(answer).toMatch(/^HTTP\/1\.1 412 /);
    }
    expect(a.links).toEqual([]);
  });

  it("bans nobody for a bit that flips in a greeting, and learns nothing from it", async () => {
    const a = await open("a", [{ id: "b", peer: "127.0.0.1:1", api: "" }]);
    const whole = Buffer.from(head(hello()), "latin1");
    // From the first word on; the bit that makes capitals of small letters is left alone, names of headers have no case.
    const from = whole.indexOf("slct-cluster");
    for (let at = from; at < whole.length - 4; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 5));
      const { answer, socket } = await exchange(a.peers.port, damaged);
      expect(answer).toMatch(/^HTTP\/1\.1 4(00|26) /);
      expect(answer).not.toContain("slct-ban");
      await closed(socket);
    }
    expect(a.links).toEqual([]);
    await dial(a.peers.port, hello());
  });

  it("answers an ordinary HTTP client with 4xx", async () => {
    const a = await alone();
    const sent = request({ port: a.peers.port, host: "127.0.0.1", method: "PUT", path: "/state/x" });
    sent.end(JSON.stringify({ Data: 1 }));
    const [response] = (await once(sent, "response")) as [{ statusCode: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(404);
  });

  it.each<[string, Buffer]>([
    ["garbage", Buffer.from("garbage that is no frame at all")],
    ["a length beyond the limit", Buffer.from("7fffffff", "hex")],
    ["an unknown kind", Buffer.from("000000070000000392630102", "hex")],
    ["a message of another member", Buffer.concat(encodeFrame(heartbeat("c", "a")).pieces)],
    ["a message to another member", Buffer.concat(encodeFrame(heartbeat("b", "c")).pieces)],
    ["a forward of another origin", Buffer.concat(encodeFrame(forward("c", 1)).pieces)],
    ["a forward of another start", Buffer.concat(encodeFrame({ ...forward("b", 1), epoch: 2 } as Frame).pieces)],
    ["entries of falling terms", Buffer.concat(encodeFrame(append([2, 1])).pieces)],
    ["an entry of a term before that of the one it follows", Buffer.concat(encodeFrame(append([0])).pieces)],
  ])("E18 closes a link that carries %s, and counts it", async (_, bytes) => {
    const a = await alone();
    const socket = await dial(a.peers.port, hello());
    socket.write(Buffer.concat([...encodeFrame(heartbeat("b", "a", 1)).pieces, bytes]));
    socket.write(Buffer.concat(encodeFrame(heartbeat("b", "a", 2)).pieces));
    await closed(socket);
    await a.until(() => a.events.some(({ kind }) => kind === "badFrame"));
    expect(contexts(a)).toEqual([1]);
    expect(a.peers.stats().badFrames).toBe(1);
  });

  it("answers pings, and drops a link that is silent", async () => {
    const a = await alone();
    const socket = await dial(a.peers.port, hello());
    socket.write(Buffer.alloc(4));
    const [pong] = (await once(socket, "data")) as [Buffer];
    expect(pong.length).toBe(1);
    await closed(socket);
    expect(a.peers.stats().badFrames).toBe(0);
  });

  it("does not take the link of another program for a peer's", async () => {
    const impostor = createServer((socket) => {
      socket.once("data", () => socket.write("HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: slct-peer/3\r\n\r\n"));
      socket.on("error", () => socket.destroy());
    });
    impostor.listen(0, "127.0.0.1");
    await once(impostor, "listening");
    onCleanUp(() => void impostor.close());
    const { port } = impostor.address() as AddressInfo;
    const members = [{ id: "b", peer: `127.0.0.1:${port}`, api: "" }];
    const a = await open("a", members);
    await a.until(() => a.events.some((event) => event.kind === "failed" && event.reason.startsWith("not the node")));
    expect(a.links).toEqual([]);
  });

  it("is free again after close", async () => {
    const a = await alone();
    const { port } = a.peers;
    const socket = await dial(port, hello());
    await Promise.all([closed(socket), a.peers.close()]);
    const server = createServer();
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    server.close();
  });
});
