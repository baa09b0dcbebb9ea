/**
 * Connections: many requests on one, none on one, and what answers give away. Rows H13–H16 of the security list.
 */
import { connect } from "node:net";
import { expect } from "vitest";
import { unique } from "../behaviour/client.js";
import { expectRefusal } from "../raw-http.js";
import { host, json, last, raw, type Row } from "./service.js";

const pipelined = 1000;

export const connectionRows: readonly Row[] = [
  {
    name: "H13 pipelined requests are served in order, and the connection ends at its maximum",
    run: async (service) => {
      const { http } = service;
      const chan = unique("h13");
      await http.call("PUT", `/channel/${chan}`, { Buffer: pipelined });
      const requests = Array.from({ length: pipelined }, (_, i) => {
        const body = `{"Data":${i}}`;
        const end = i === pipelined - 1 ? last : "\r\n";
        return `POST /channel/${chan}/send HTTP/1.1\r\n${host}${json}Content-Length: ${body.length}\r\n${end}${body}`;
      });
      const { text } = await raw(service, requests);
      const served = Math.min(pipelined, service.requestsPerSocketMax);
      expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(served);
      expect((await http.get(`/channel/${chan}`)).body.Values).toBe(served);
      for (let i = 0; i < 3; i += 1) expect((await http.recv(chan)).body.Data).toBe(i);
    },
  },
  {
    name: "H14 an idle connection is closed",
    run: async (service) => {
      const answer = await raw(service, `GET /healthz HTTP/1.1\r\n${host}\r\n`);
      expect(answer.status).toBe(200);
      expect(answer.head).toContain("Keep-Alive: timeout=");
    },
  },
  {
    name: "H14 clients that reset while they poll leave nothing behind",
    run: async (service) => {
      const before = await service.waitCount();
      const sockets = Array.from({ length: 200 }, () => connect(service.port, "127.0.0.1"));
      for (const socket of sockets) {
        socket.on("error", () => undefined);
        socket.write(`GET /state/poll?wait=60&prefix=${unique("h14")} HTTP/1.1\r\n${host}\r\n`);
      }
      while ((await service.waitCount()) < before + sockets.length) continue;
      for (const socket of sockets) socket.resetAndDestroy();
      while ((await service.waitCount()) > before) continue;
    },
  },
  {
    name: "H15 nothing is allowed across origins",
    run: async ({ http }) => {
      const headers = { Origin: "http://evil.example", "Access-Control-Request-Method": "PUT" };
      for (const method of ["GET", "HEAD", "OPTIONS"]) {
        const answer = await http.call(method, "/state", undefined, { headers });
        expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
      }
      expect((await http.call("OPTIONS", "/state")).status).toBe(405);
    },
  },
  {
    name: "H16 an ID cannot inject a header; answers are neither sniffed nor stored",
    run: async (service) => {
      const { http } = service;
      const answer = await raw(service, `GET /state/a%0d%0aX-Injected:%201 HTTP/1.1\r\n${host}${last}`);
      expectRefusal(answer, 400, "bad_id");
      expect(answer.head).not.toContain("\r\nX-Injected");
      for (const { headers } of [await http.get("/state"), await http.get("/nowhere"), await http.get("/metrics")]) {
        expect(headers.get("x-content-type-options")).toBe("nosniff");
        expect(headers.get("cache-control")).toBe("no-store");
        expect(headers.get("x-powered-by")).toBeNull();
      }
    },
  },
  {
    name: "garbage behind a request that waits ends the connection and the wait, without an answer",
    run: async (service) => {
      const poll = `GET /state/poll?wait=60&prefix=${unique("g")} HTTP/1.1\r\n${host}\r\n`;
      const answer = await raw(service, `${poll}\u0001\u0002`);
      expect(answer.text).toBe("");
      while ((await service.waitCount()) > 0) continue;
    },
  },
];
