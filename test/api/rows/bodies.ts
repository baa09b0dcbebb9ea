/**
 * Bodies: size, time, type, encoding, expectations. Rows H1–H3, H10–H12 of the security list.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { expect } from "vitest";
import { statePath, unique } from "../behaviour/client.js";
import { expectRefusal, readAll } from "../raw-http.js";
import { host, json, last, raw, rowsOf, type Row } from "./service.js";

const put = (id: string, headers: string) => `PUT ${statePath(id)} HTTP/1.1\r\n${host}${headers}`;

export const bodyRows: readonly Row[] = [
  {
    name: "H1 a Content-Length above the limit: 413 before reading",
    run: async (service) => {
      const length = service.limits.bodyBytesMax + 1;
      const answer = await raw(service, put("h1", `${json}Content-Length: ${length}\r\n\r\n`));
      expectRefusal(answer, 413, "too_large");
      expect(answer.head).toContain("Connection: close");
    },
  },
  {
    name: "H2 a chunked body that grows past the limit: 413 and close",
    run: async (service) => {
      const chunk = `1000\r\n${"x".repeat(0x1000)}\r\n`;
      const chunks = chunk.repeat(2 + service.limits.bodyBytesMax / 0x1000);
      const answer = await raw(service, put("h2", `${json}Transfer-Encoding: chunked\r\n\r\n${chunks}`));
      expectRefusal(answer, 413, "too_large");
      expect(answer.head).toContain("Connection: close");
    },
  },
  {
    name: "H3 a body that does not come: 408 when its time is over",
    run: async (service) => {
      expectRefusal(await raw(service, put("h3", `${json}Content-Length: 100\r\n\r\n{`)), 408, "bad_request");
    },
  },
  {
    name: "H3 a long-poll is not a slow request",
    run: async ({ http }) => {
      const answer = await http.get(`/state/poll?prefix=${unique("none")}&wait=0.8`);
      expect([answer.status, answer.text]).toEqual([200, "[]"]);
    },
  },
  ...rowsOf(
    (type) => `H10 ${type}: 415`,
    [
      ["text/plain", "Content-Type: text/plain\r\n"],
      ["a form", "Content-Type: application/x-www-form-urlencoded\r\n"],
      ["no type", ""],
      ["another charset", "Content-Type: application/json; charset=utf-16\r\n"],
      ["a longer name", "Content-Type: application/jsonp\r\n"],
    ],
    async (service, _name, type) => {
      const answer = await raw(service, put("h10", `${type}Content-Length: 2\r\n${last}{}`));
      expectRefusal(answer, 415, "unsupported_media_type");
    },
  ),
  ...rowsOf(
    (type) => `H10 ${type} is accepted`,
    [["application/json; charset=utf-8"], ['application/json;charset="UTF-8"'], ["APPLICATION/JSON"]],
    async ({ http }, type) => {
      expect((await http.put(unique("h10"), "{}", { headers: { "content-type": type } })).status).toBe(201);
    },
  ),
  ...rowsOf(
    (encoding) => `H11 Content-Encoding ${encoding}: 415, nothing is inflated`,
    [["gzip"], ["br"], ["identity, gzip"]],
    async (service, encoding) => {
      const body = gzipSync("{}").toString("latin1");
      const headers = `${json}Content-Encoding: ${encoding}\r\nContent-Length: ${body.length}\r\n`;
      expectRefusal(await raw(service, put("h11", `${headers}${last}${body}`)), 415, "unsupported_media_type");
    },
  ),
  {
    name: "H12 Expect: 100-continue with a large Content-Length is refused before 100",
    run: async (service) => {
      const length = service.limits.bodyBytesMax + 1;
      const headers = `${json}Expect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
      expectRefusal(await raw(service, put("h12", headers)), 413, "too_large");
    },
  },
  {
    name: "H12 Expect: 100-continue is otherwise answered with 100, then 201",
    run: async ({ port }) => {
      const socket = connect(port, "127.0.0.1");
      socket.write(put(unique("h12"), `${json}Expect: 100-continue\r\nContent-Length: 2\r\n${last}`));
      const [first] = (await once(socket, "data")) as [Buffer];
      expect(first.toString()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
      socket.write("{}");
      expect((await readAll(socket)).status).toBe(201);
    },
  },
  {
    name: "H12 another expectation: 417",
    run: async (service) => {
      const answer = await raw(service, `GET /healthz HTTP/1.1\r\n${host}Expect: magic\r\n${last}`);
      expectRefusal(answer, 417, "bad_request");
    },
  },
  {
    name: "a body above the soft limit is counted",
    run: async ({ http, limits }) => {
      const answer = await http.put(unique("soft"), { Data: "x".repeat(limits.bodyBytesSoft) });
      expect([answer.status, answer.headers.get("slct-warning")]).toEqual([201, "soft-limit"]);
      expect((await http.get("/metrics")).text).toMatch(/^slct_http_soft_limit_total [1-9]/m);
    },
  },
];
