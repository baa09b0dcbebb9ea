/**
 * Headers and forms of requests. Rows H4–H9 of the security list.
 */
import { expect } from "vitest";
import { expectRefusal } from "../raw-http.js";
import { host, json, last, raw, rowsOf, type Row } from "./service.js";

export const headerRows: readonly Row[] = [
  {
    name: "H4 headers that do not end: closed when their time is over, others are served meanwhile",
    run: async (service) => {
      const slow = Array.from({ length: 50 }, () => raw(service, `GET /healthz HTTP/1.1\r\n${host}X-`));
      expect((await service.http.get("/healthz")).status).toBe(200);
      for (const answer of await Promise.all(slow)) expect([0, 408]).toContain(answer.status);
    },
  },
  {
    name: "H5 headers of 20 KB: 431",
    run: async (service) => {
      const answer = await raw(service, `GET /healthz HTTP/1.1\r\n${host}X: ${"x".repeat(20_000)}\r\n\r\n`);
      expectRefusal(answer, 431, "too_large");
    },
  },
  {
    name: "H6 more than 100 headers: 431, never dropped in silence",
    run: async (service) => {
      const headers = (count: number) => Array.from({ length: count - 2 }, (_, i) => `X${i}: 1\r\n`).join("");
      const request = (count: number) => `GET /healthz HTTP/1.1\r\n${host}${headers(count)}${last}`;
      expect((await raw(service, request(100))).status).toBe(200);
      for (const count of [101, 102, 150, 1500]) expectRefusal(await raw(service, request(count)), 431, "too_large");
    },
  },
  ...rowsOf(
    (form) => `H7 ${form}: 400 and close`,
    [
      ["CL and TE", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"],
      ["two CL", "Content-Length: 2\r\nContent-Length: 2\r\n"],
      ["an unknown TE", "Transfer-Encoding: xchunked\r\n"],
      ["a negative CL", "Content-Length: -1\r\n"],
      ["a folded header", "X: a\r\n b\r\n"],
      ["space before the colon", "X : a\r\n"],
    ],
    async (service, _name, headers) => {
      const answer = await raw(service, `PUT /state/h7 HTTP/1.1\r\n${host}${headers}\r\n{}`);
      expectRefusal(answer, 400, "bad_request");
    },
  ),
  {
    name: "H7 a bare LF: 400 and close",
    run: async (service) => {
      expectRefusal(await raw(service, `GET /healthz HTTP/1.1\nHost: x\n\n`), 400, "bad_request");
    },
  },
  ...rowsOf(
    (form) => `H8 ${form}: 400`,
    [
      ["two Host headers", `GET /healthz HTTP/1.1\r\n${host}${host}\r\n`],
      ["two Host headers in other case", `GET /healthz HTTP/1.1\r\n${host}hOST: y\r\n\r\n`],
      ["no Host header", "GET /healthz HTTP/1.1\r\n\r\n"],
      ["absolute form", `GET http://x/healthz HTTP/1.1\r\n${host}\r\n`],
      ["asterisk form", `OPTIONS * HTTP/1.1\r\n${host}\r\n`],
      ["an unknown method", `BREW /healthz HTTP/1.1\r\n${host}\r\n`],
    ],
    async (service, _name, request) => {
      expectRefusal(await raw(service, request), 400, "bad_request");
    },
  ),
  ...rowsOf(
    (form) => `H9 ${form}: 405 and close`,
    [
      ["CONNECT", `CONNECT x:80 HTTP/1.1\r\n${host}\r\n`],
      ["TRACE", `TRACE /healthz HTTP/1.1\r\n${host}${last}`],
      ["Upgrade h2c", `GET /healthz HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`],
      ["Upgrade websocket", `GET /healthz HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`],
    ],
    async (service, _name, request) => {
      expectRefusal(await raw(service, request), 405, "bad_request");
    },
  ),
  {
    name: "H9 TRACE: Allow says what the target takes",
    run: async (service) => {
      const { head } = await raw(service, `TRACE /select HTTP/1.1\r\n${host}${last}`);
      expect(head).toMatch(/^Allow: POST\r?$/m);
    },
  },
  {
    name: "a body that breaks its own chunks: 400, once",
    run: async (service) => {
      const head = `PUT /state/x HTTP/1.1\r\n${host}${json}Transfer-Encoding: chunked\r\n\r\n`;
      const { text } = await raw(service, `${head}zz\r\n{}`);
      expect(text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
    },
  },
];
