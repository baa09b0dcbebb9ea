import { once } from "node:events";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createResolve } from "../../cluster/callback-dns.js";
import { parseAllow } from "../../cluster/callback-guard.js";
import { call, createCaller } from "./caller-bench.js";
import { cleanUp, onCleanUp } from "./cleanup.js";
import { receive } from "./receiver.js";

afterEach(cleanUp);

/** For hooks.test, trusted by nobody. */
const testKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgnpdxVeZNdsuhHPHz
sGUY22CVMW1RY2sc80r9q9t7dsKhRANCAATHutZBrKGcMsIXfZOBa4ZXVnD0LeOZ
rEsRJ2M0QFtspdDhN5juO5dl+4Mvna753c6PIXENVC5peaPjUYppvtNS
-----END PRIVATE KEY-----`;
const testCertificate = `-----BEGIN CERTIFICATE-----
MIIBmDCCAT6gAwIBAgIUbgVaiUjRMqXE7mk/W5jltL5QQEQwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKaG9va3MudGVzdDAgFw0yNjExMjEwNzUzNDZaGA8yMTI2MTAy
ODA3NTM0NlowFTETMBEGA1UEAwwKaG9va3MudGVzdDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABMe61kGsoZwywhd9k4FrhldWcPQt45msSxEnYzRAW2yl0OE3mO47
l2X7gy+drvndzo8hcQ1ULml5o+NRimm+01KjajBoMB0GA1UdDgQWBBS+eXLQeyV3
xhDLdioi7X+c59HW/DAfBgNVHSMEGDAWgBS+eXLQeyV3xhDLdioi7X+c59HW/DAP
BgNVHRMBAf8EBTADAQH/MBUGA1UdEQQOMAyCCmhvb2tzLnRlc3QwCgYIKoZIzj0E
AwIDSAAwRQIhANw9hHri9EgkmiJeX18cpLPGQAkKHG0HiCGAUZwEWYqJAiBvCwkX
ahxnAs9puuCWoE/f1cxt/mFALKuQoGqAWZyqZQ==
-----END CERTIFICATE-----`;

describe("where a call goes", () => {
  it("is checked at every call, before anything is sent", async () => {
    const receiver = await receive((_, response) => response.end("{}"));
    const caller = createCaller({ allow: parseAllow([]) });
    expect(await call(caller, receiver.url)).toMatchObject({
      kind: "failed",
      error: expect.stringMatching(/^callback_blocked: /) as string,
    });
    expect(await call(caller, "http://user@8.8.8.8/")).toMatchObject({
      error: expect.stringMatching(/^bad_request: /) as string,
    });
    expect(receiver.connections).toBe(0);
  });

  it.each([[["127.0.0.1", "10.0.0.1"]], [["8.8.8.8", "10.0.0.1"]], [["169.254.169.254"]], [["::ffff:10.0.0.1"]], [[]]])(
    "is refused when the name resolves to %j",
    async (addresses) => {
      const receiver = await receive((_, response) => response.end("{}"));
      const caller = createCaller({ resolve: () => Promise.resolve(addresses) });
      expect(await call(caller, `http://hooks.example:${receiver.port}/`)).toMatchObject({
        kind: "failed",
        error: expect.stringMatching(/^callback_blocked: /) as string,
      });
      expect(receiver.connections).toBe(0);
    },
  );

  it("is the address that was checked, under the name that was asked for", async () => {
    const receiver = await receive((_, response) => response.end("{}"));
    const asked: string[] = [];
    const caller = createCaller({
      resolve: (host) => {
        asked.push(host);
        return Promise.resolve(["127.0.0.1"]);
      },
    });
    expect(await call(caller, `http://Hooks.Example:${receiver.port}/`)).toMatchObject({ kind: "state" });
    expect(asked).toEqual(["hooks.example"]);
    expect(receiver.calls[0]?.headers.host).toBe(`hooks.example:${receiver.port}`);
  });

  it("is checked again when the name resolves to something else the next time", async () => {
    const receiver = await receive((_, response) => response.writeHead(200, { connection: "close" }).end("{}"));
    const answers = [["127.0.0.1"], ["127.0.0.2"]];
    const caller = createCaller({ resolve: () => Promise.resolve(answers.shift() ?? []) });
    const url = `http://hooks.example:${receiver.port}/`;
    expect(await call(caller, url)).toMatchObject({ kind: "state" });
    expect(await call(caller, url)).toMatchObject({ error: expect.stringMatching(/^callback_blocked/) as string });
    expect(receiver.connections).toBe(1);
  });

  it("is localhost without asking anybody, where loopback is allowed", async () => {
    const receiver = await receive((_, response) => response.end("{}"));
    const caller = createCaller({ allow: parseAllow(["127.0.0.0/8"]), resolve: createResolve() });
    expect(await call(caller, `http://localhost:${receiver.port}/`)).toMatchObject({ kind: "state" });
  });

  it("reports a name that cannot be resolved in words of its own", async () => {
    const caller = createCaller({
      resolve: () => Promise.reject(Object.assign(new Error("getaddrinfo from 10.0.0.53"), { code: "ENOTFOUND" })),
    });
    const result = await call(caller, "http://hooks.example/");
    expect(result).toEqual({ kind: "failed", error: "host name not found", unreachable: true });
  });

  it("gives up on a name server that does not answer", async () => {
    const caller = createCaller({ resolve: () => new Promise(() => undefined), connectMs: 30 });
    const result = await call(caller, "http://hooks.example/");
    expect(result).toEqual({ kind: "failed", error: "connecting took too long", unreachable: true });
  });

  it("sends nothing to a server whose certificate is not trusted", async () => {
    let requests = 0;
    const server = createTlsServer({ key: testKey, cert: testCertificate }, () => requests++);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onCleanUp(() => void server.close());
    const caller = createCaller({ resolve: () => Promise.resolve(["127.0.0.1"]) });
    const { port } = server.address() as AddressInfo;
    const result = await call(caller, `https://hooks.test:${port}/`);
    expect(result).toEqual({
      kind: "failed",
      error: "connection failed (DEPTH_ZERO_SELF_SIGNED_CERT)",
      unreachable: true,
    });
    expect(requests).toBe(0);
  });
});

describe("connections", () => {
  it("are used again", async () => {
    const receiver = await receive((_, response) => response.end("{}"));
    const caller = createCaller();
    for (let n = 0; n < 5; n++) expect(await call(caller, receiver.url)).toMatchObject({ kind: "state" });
    expect(receiver.connections).toBe(1);
  });

  it("that the other side closed while they were idle are replaced, once", async () => {
    let calls = 0;
    const receiver = await receive((_, response, socket) => {
      calls++;
      if (calls === 2) socket.resetAndDestroy();
      else response.end("{}");
    });
    const caller = createCaller();
    expect(await call(caller, receiver.url)).toMatchObject({ kind: "state" });
    expect(await call(caller, receiver.url)).toMatchObject({ kind: "state" });
    expect(receiver.connections).toBe(2);
  });
});
