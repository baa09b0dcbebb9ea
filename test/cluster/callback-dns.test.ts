import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { createResolve } from "../../cluster/callback-dns.js";

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

/** A name server that knows some addresses; without a list it never answers. */
async function nameServer(addresses?: { readonly A?: readonly string[]; readonly AAAA?: readonly string[] }) {
  const asked: string[] = [];
  const socket = createSocket("udp4");
  sockets.push(socket);
  socket.on("message", (question, from) => {
    const { name, end } = readName(question);
    const isV6 = question.readUInt16BE(end) === 28;
    asked.push(`${isV6 ? "AAAA" : "A"} ${name}`);
    if (addresses === undefined) return;
    const found = ((isV6 ? addresses.AAAA : addresses.A) ?? []).map((one) => record(one, isV6));
    const head = Buffer.from(question.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(found.length, 6);
    head.writeUInt32BE(0, 8);
    socket.send(Buffer.concat([head, question.subarray(12, end + 4), ...found]), from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { address: `127.0.0.1:${socket.address().port}`, asked };
}

function readName(message: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), end: at + 1 };
}

/** One answer, its name a pointer to the question; IPv6 written as eight full groups. */
function record(address: string, isV6: boolean): Buffer {
  const data = isV6
    ? Buffer.from(
        address
          .split(":")
          .map((group) => group.padStart(4, "0"))
          .join(""),
        "hex",
      )
    : Buffer.from(address.split(".").map(Number));
  const head = Buffer.from([0xc0, 12, 0, isV6 ? 28 : 1, 0, 1, 0, 0, 0, 0, 0, data.length]);
  return Buffer.concat([head, data]);
}

describe("createResolve", () => {
  it("collects the addresses of both families, so that all of them can be judged", async () => {
    const { address, asked } = await nameServer({ A: ["8.8.8.8", "10.0.0.1"], AAAA: ["fd00:0:0:0:0:0:0:1"] });
    const found = await createResolve({ servers: [address] })("hooks.example");
    expect([...found].sort()).toEqual(["10.0.0.1", "8.8.8.8", "fd00::1"]);
    expect([...asked].sort()).toEqual(["A hooks.example", "AAAA hooks.example"]);
  });

  it("asks every time: what was right once need not be", async () => {
    const { address, asked } = await nameServer({ A: ["8.8.8.8"] });
    const resolve = createResolve({ servers: [address] });
    expect(await resolve("hooks.example")).toEqual(["8.8.8.8"]);
    expect(await resolve("hooks.example")).toEqual(["8.8.8.8"]);
    expect(asked.filter((one) => one.startsWith("A "))).toHaveLength(2);
  });

  it("gives up when the name server is silent", async () => {
    const { address } = await nameServer();
    await expect(createResolve({ servers: [address], timeoutMs: 30 })("hooks.example")).rejects.toMatchObject({
      code: "ETIMEOUT",
    });
  });

  it("knows localhost by itself", async () => {
    const { address, asked } = await nameServer({});
    const resolve = createResolve({ servers: [address] });
    expect(await resolve("localhost")).toEqual(["127.0.0.1", "::1"]);
    expect(await resolve("app.localhost")).toEqual(["127.0.0.1", "::1"]);
    expect(asked).toEqual([]);
  });
});
