/**
 * Streams between members, over real sockets: paced by the reader, checked like links, noticed when they break.
 */
import { afterEach, expect, it } from "vitest";
import { PullError } from "../../cluster/peer-pull.js";
import { cleanUp } from "./cleanup.js";
import { closed, exchange, head, hello } from "./peer-dialer.js";
import { all, cluster, contexts, heartbeat, open, type Witness } from "./peer-witness.js";

afterEach(cleanUp);

const never = new AbortController().signal;
const path = "/snapshot?id=1&after=";
const piece = Buffer.alloc(64 * 1024, 1);

async function pair() {
  const { nodes, relays } = await cluster(["a", "b"]);
  const [a, b] = all(nodes) as [Witness, Witness];
  return { a, b, relays };
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const one of source) bytes += one.length;
  return bytes;
}

/** Pieces without end; says how many were taken, and when it was given up. */
function endless() {
  const given = { pieces: 0 };
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        given.pieces++;
        await Promise.resolve();
        yield piece;
      }
    } finally {
      end();
    }
  }
  return { given, source, ended };
}

it("a stream arrives whole, and who asked for it is known", async () => {
  const { a, b } = await pair();
  a.streams.set(path, async function* () {
    for (let n = 0; n < 100; n++) yield await Promise.resolve(piece);
  });
  expect(await bytesOf(b.peers.pull("a", path, never))).toBe(100 * piece.length);
  expect(a.pulls).toEqual([`b ${path}`]);
});

it("what is not there is gone", async () => {
  const { b } = await pair();
  await expect(bytesOf(b.peers.pull("a", path, never))).rejects.toMatchObject({ name: "PullError", gone: true });
  await expect(bytesOf(b.peers.pull("a", "/elsewhere", never))).rejects.toThrow(PullError);
});

it("H11 a reader that does not read stops the source, and holds up no links", async () => {
  const { a, b } = await pair();
  const { given, source, ended } = endless();
  a.streams.set(path, source);
  const reading = b.peers.pull("a", path, never)[Symbol.asyncIterator]();
  await reading.next();
  let seen = -1;
  while (seen !== given.pieces) {
    seen = given.pieces;
    for (let n = 0; n < 20; n++) {
      a.peers.send("b", heartbeat("a", "b", seen * 100 + n));
      await b.until(() => contexts(b).includes(seen * 100 + n));
    }
  }
  // What fits into the buffers of two sockets and a relay.
  expect(given.pieces * piece.length).toBeLessThan(32 * 1024 * 1024);
  await reading.return?.();
  await ended;
});

it("a source that fails breaks the stream: it does not seem to end", async () => {
  const { a, b } = await pair();
  a.streams.set(path, async function* () {
    yield await Promise.resolve(piece);
    throw new Error("the view is closed");
  });
  await expect(bytesOf(b.peers.pull("a", path, never))).rejects.toThrow();
});

it("a connection that is cut ends both sides", async () => {
  const { a, b, relays } = await pair();
  const { source, ended } = endless();
  a.streams.set(path, source);
  const pull = b.peers.pull("a", path, never);
  let bytes = 0;
  await expect(
    (async () => {
      for await (const one of pull) {
        bytes += one.length;
        if (bytes > 1024 * 1024) relays[0]?.cut();
      }
    })(),
  ).rejects.toThrow();
  await ended;
});

it("an aborted pull ends both sides", async () => {
  const { a, b } = await pair();
  const { source, ended } = endless();
  a.streams.set(path, source);
  const abort = new AbortController();
  await expect(
    (async () => {
      for await (const one of b.peers.pull("a", path, abort.signal)) if (one.length > 0) abort.abort();
    })(),
  ).rejects.toThrow("aborted");
  await ended;
});

it.each([
  ["another cluster", { "slct-cluster": "other" }, 412],
  ["another node", { "slct-to": "x" }, 421],
  ["nobody", { "slct-node": undefined }, 400],
  ["another instance of a member", { "slct-instance": "instance-other" }, 412],
  ["an earlier start", { "slct-epoch": "1" }, 409],
  ["a body", { "content-length": "3" }, 400],
])("55 a request of %s is refused", async (_name, change, status) => {
  const a = await open("a", [{ id: "b", peer: "127.0.0.1:1", api: "" }]);
  const link = await exchange(a.peers.port, head(hello({ "slct-epoch": "2" })));
  const plain = { connection: undefined, upgrade: undefined, "slct-lane": undefined, "slct-epoch": "2" };
  const { answer, socket } = await exchange(a.peers.port, head({ ...hello(plain), ...change }, `GET ${path} HTTP/1.1`));
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(a.pulls).toEqual([]);
  await closed(socket);
  link.socket.destroy();
});
