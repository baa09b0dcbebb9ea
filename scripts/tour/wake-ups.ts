/**
 * First half of the tour: one process woken by a poll, one by a callback, one by its timer.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Json } from "../../api/contract.js";
import { at, curl, expect, heading, note } from "./stage.js";

/** @param apis base URLs of three nodes */
export async function wokenByPoll([first, second, third]: readonly [string, string, string]): Promise<void> {
  heading("A process waits for a payment, for an hour, or for somebody to take its question: one select, three cases");
  const select = {
    ID: "1",
    Cases: [
      { Op: "recv", Chan: "tour-payments" },
      { Op: "time", After: "1h" },
      { Op: "send", Chan: "tour-questions", Data: "paid yet?" },
    ],
  };
  const created = await curl("PUT", `${first}/state/tour-order`, { Data: { amount: 42 }, Selects: [select] });
  expect(created.status === 201 && at(created.body, "Status") === "waiting", "it is created and waits");

  note("A payment arrives at another node.");
  const sent = await curl("POST", `${second}/channel/tour-payments/send`, { Data: { paid: 42 } });
  expect(sent.status === 200 && at(sent.body, "Ok") === true, "the payment was handed over");

  note("A worker polls a third node.");
  const polled = await curl("GET", `${third}/state/poll?prefix=tour-order&wait=10`);
  const lock = at(polled.body, 0, "Lock") ?? "";
  expect(at(polled.body, 0, "Results", 0, "Case") === 0, "the receive has won");
  expect(at(polled.body, 0, "Results", 0, "Data", "paid") === 42, "the payment is in its result");

  note("It puts the process back with its Lock, without further selects.");
  const put = await curl("PUT", `${third}/state/tour-order`, {
    Lock: lock,
    Data: { amount: 42, paid: true },
    Selects: [],
  });
  expect(put.status === 200 && at(put.body, "Status") === "done", "the process is done");
  const left = await curl("GET", `${first}/channel?prefix=tour-`);
  expect(isEmpty(at(left.body, "Channels")), "the losing cases left nothing on any channel");
}

export async function wokenByTimer([first, second]: readonly [string, string, string]): Promise<void> {
  heading("A reminder: nobody sends, so the timer fires");
  const select = {
    ID: "1",
    Cases: [
      { Op: "recv", Chan: "tour-never" },
      { Op: "time", After: "300ms" },
    ],
  };
  const created = await curl("PUT", `${first}/state/tour-reminder`, { Selects: [select] });
  const polled = await curl("GET", `${second}/state/poll?prefix=tour-reminder&wait=10`);
  const result = at(polled.body, 0, "Results", 0);
  expect(at(result, "Case") === 1 && at(result, "Op") === 3, "the timer has won");
  const waitedMs = Number(at(result, "At")) - Number(at(created.body, "CreatedAt"));
  expect(waitedMs >= 300, `not a millisecond early (${waitedMs} ms)`);
  const put = await curl("PUT", `${second}/state/tour-reminder`, { Lock: at(polled.body, 0, "Lock") ?? "" });
  expect(at(put.body, "Status") === "done", "the reminder is done");
}

/** @param secret the cluster's signing key, `whsec_<base64>` */
export async function wokenByCallback(apis: readonly [string, string, string], secret: string): Promise<void> {
  heading("A process is woken by a callback: the answer of the HTTP server is the put-back");
  const calls: { signed: boolean; body: Json }[] = [];
  const server = createServer((request, response) => void answer(request, response, secret, calls));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const [first, second, third] = apis;
  try {
    const Callback = { Type: 1, URI: `http://127.0.0.1:${port}/woken` };
    const Selects = [{ ID: "1", Cases: [{ Op: "recv", Chan: "tour-parcels" }] }];
    const created = await curl("PUT", `${first}/state/tour-parcel`, { Data: { delivered: false }, Callback, Selects });
    expect(created.status === 201, "it is created");
    const sent = await curl("POST", `${second}/channel/tour-parcels/send`, { Data: "at the door" });
    expect(sent.status === 200, "the parcel was handed over");
    const ended = await curl("GET", `${third}/state/tour-parcel?wait=20&until=done`);
    expect(at(ended.body, "Status") === "done", "the process is done");
    expect(at(ended.body, "Data", "delivered") === true, "what the server answered is what is stored");
    expect(at(ended.body, "Data", "where") === "at the door", "the server had the result");
    expect(
      calls.length === 1 && calls.every(({ signed }) => signed),
      "the server was called once, with a valid signature",
    );
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** Handles one wake-up as a user's server would: check the signature, work, answer the new state. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  secret: string,
  calls: { signed: boolean; body: Json }[],
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const body = JSON.parse(text) as Json;
  const signed = isSigned(request, text, secret);
  calls.push({ signed, body });
  note(`(the server is called: ${request.method} ${request.url}, webhook-id ${String(request.headers["webhook-id"])})`);
  const state = { Data: { delivered: true, where: at(body, "Results", 0, "Data") ?? null }, Selects: [] };
  response
    .writeHead(signed ? 200 : 401, { "content-type": "application/json" })
    .end(signed ? JSON.stringify(state) : "{}");
}

/** Standard Webhooks, v1: HMAC-SHA256 over `id.timestamp.body`; one of several signatures has to match. */
function isSigned(request: IncomingMessage, body: string, secret: string): boolean {
  const header = (name: string) => String(request.headers[name] ?? "");
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const content = `${header("webhook-id")}.${header("webhook-timestamp")}.${body}`;
  const wanted = Buffer.from(`v1,${createHmac("sha256", key).update(content).digest("base64")}`);
  const fresh = Math.abs(Date.now() / 1000 - Number(header("webhook-timestamp"))) < 300;
  const matches = (given: Buffer) => given.length === wanted.length && timingSafeEqual(given, wanted);
  return (
    fresh &&
    header("webhook-signature")
      .split(" ")
      .map((one) => Buffer.from(one))
      .some(matches)
  );
}

export function isEmpty(list: Json | undefined): boolean {
  return Array.isArray(list) && list.length === 0;
}
