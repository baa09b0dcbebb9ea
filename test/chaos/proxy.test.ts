/** What each rule of a proxy does to real connections. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { Proxy, type LinkRule } from "../../chaos/proxy.js";
import { Random } from "../../chaos/random.js";

const host = "127.0.0.1";
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

interface Bench {
  readonly proxy: Proxy;
  rules: Record<string, LinkRule>;
  readonly accepted: Socket[];
  readonly dial: () => Socket;
}

/** Behind the proxy listens a server that answers with the same bytes, as long as `echoes`. */
async function bench(dialer: string | undefined, echoes = true): Promise<Bench> {
  const accepted: Socket[] = [];
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    accepted.push(socket);
    if (echoes) socket.pipe(socket);
    else socket.resume();
  });
  server.listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const state: { rules: Record<string, LinkRule> } = { rules: {} };
  const free = createServer().listen(0, host);
  await once(free, "listening");
  const own = (free.address() as AddressInfo).port;
  await new Promise((resolve) => free.close(resolve));
  const proxy = await Proxy.open({
    ...{ host, port: own, target: { host, port }, dialer, random: new Random(1) },
    rule: (from) => state.rules[from] ?? {},
  });
  const dialed: Socket[] = [];
  closers.push(
    () => dialed.forEach((socket) => socket.destroy()),
    () => proxy.close(),
    () => accepted.forEach((socket) => socket.destroy()),
    () => new Promise((resolve) => server.close(resolve)),
  );
  return {
    ...{ proxy, accepted },
    get rules() {
      return state.rules;
    },
    set rules(rules) {
      state.rules = rules;
      proxy.update();
    },
    dial() {
      const socket = connect(own, host);
      socket.on("error", () => undefined);
      dialed.push(socket);
      return socket;
    },
  };
}

/** Everything until `length` bytes are there. */
async function read(socket: Socket, length: number): Promise<string> {
  let text = "";
  while (text.length < length) text += String((await once(socket, "data"))[0]);
  return text;
}

/** However it ends. */
function closed(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once("close", resolve));
}

describe("a proxy", () => {
  test("passes bytes and ends both ways", async () => {
    const { dial } = await bench("client");
    const socket = dial();
    socket.end("hello");
    expect(await read(socket, 5)).toBe("hello");
    await once(socket, "end");
  });

  test("knows who dials from the head of the connection, and refuses only that one", async () => {
    const one = await bench(undefined);
    one.rules = { n1: { refuse: true } };
    const refused = one.dial();
    refused.write("GET /peer HTTP/1.1\r\nslct-node: n1\r\n\r\n");
    await closed(refused);
    const head = "GET /peer HTTP/1.1\r\nslct-node: n2\r\n\r\n";
    const passed = one.dial();
    passed.write(head.slice(0, 20));
    passed.write(head.slice(20));
    expect(await read(passed, head.length)).toBe(head);
    expect(one.proxy.counts.refused).toBe(1);
  });

  test("closes what is open when it begins to refuse", async () => {
    const one = await bench("client");
    const socket = one.dial();
    socket.write("a");
    await read(socket, 1);
    one.rules = { client: { refuse: true } };
    await closed(socket);
  });

  test("holds bytes and ends back, and lets them go", async () => {
    const one = await bench("client");
    const socket = one.dial();
    socket.write("a");
    await read(socket, 1);
    one.rules = { client: { forward: { hold: true } } };
    socket.write("held");
    // The other direction is open.
    one.accepted[0]?.write("b");
    expect(await read(socket, 1)).toBe("b");
    one.rules = {};
    expect(await read(socket, 4)).toBe("held");
  });

  test("does not tell one end that the other is gone while it holds", async () => {
    const one = await bench("client", false);
    const socket = one.dial();
    socket.write("a");
    while (one.accepted.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const [far] = one.accepted as [Socket];
    one.rules = { client: { forward: { hold: true }, backward: { hold: true } } };
    socket.destroy();
    await closed(socket);
    far.write("still here");
    expect(far.destroyed).toBe(false);
    one.rules = {};
    await closed(far);
  });

  test("delays without changing the order, and limits the rate", async () => {
    const one = await bench("client");
    one.rules = { client: { forward: { delayMs: 30, jitterMs: 20, bytesPerSecond: 20_000 } } };
    const socket = one.dial();
    const text = Array.from({ length: 40 }, (_, n) => String(n).padStart(50, "0")).join("");
    const beganMs = performance.now();
    for (let at = 0; at < text.length; at += 50) socket.write(text.slice(at, at + 50));
    expect(await read(socket, text.length)).toBe(text);
    // 2,000 bytes at 20,000 a second, after the delay.
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(125);
  });

  test("flips one bit of a piece", async () => {
    const one = await bench("client");
    one.rules = { client: { forward: { corrupt: 1 } } };
    const socket = one.dial();
    socket.write("\0".repeat(100));
    const flipped = Buffer.from(await read(socket, 100), "latin1").filter((byte) => byte !== 0);
    expect(flipped).toHaveLength(1);
    expect([1, 2, 4, 8, 16, 32, 64, 128]).toContain(flipped[0]);
    expect(one.proxy.counts.corrupted).toBe(1);
  });

  test("cuts a piece short and ends the connection", async () => {
    const one = await bench("client", false);
    one.rules = { client: { forward: { truncate: 1 } } };
    const socket = one.dial();
    socket.write("x".repeat(100));
    await closed(socket);
    expect(one.proxy.counts.truncated).toBe(1);
  });

  test("repeats a request that was answered over another connection", async () => {
    const one = await bench("client");
    one.rules = { client: { replay: 1 } };
    const socket = one.dial();
    socket.write("request");
    await read(socket, 7);
    while (one.accepted.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(await read(one.accepted[1] as Socket, 7)).toBe("request");
    expect(one.proxy.counts.replayed).toBe(1);
  });
});
