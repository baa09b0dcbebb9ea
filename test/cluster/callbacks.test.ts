import { createHmac } from "node:crypto";
import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { SlctError } from "../../src/errors.js";
import type { Command } from "../../src/select/command.js";
import type { Outcome } from "../../src/select/outcome.js";
import type { CallbackEnd } from "../../cluster/callbacks.js";
import type { CallbackConfig } from "../../cluster/node-config.js";
import { accepted, failed, handOut, lockUntil, openBench, put, secret, sum } from "./callbacks-bench.js";
import { cleanUp } from "./cleanup.js";
import { receive, type Answerer } from "./receiver.js";

afterEach(cleanUp);

describe("what comes of a call", () => {
  const refusal = (code: "lock_error" | "not_found" | "select_dropped"): Outcome => ({
    ok: false,
    code,
    message: "no",
  });
  it.each<[string, Answerer, CallbackEnd, Command[], ((command: Command) => Outcome)?]>([
    ["200 with a state", (_, res) => res.end("{}"), "put", [put("a", "{}")]],
    ["202", (_, res) => res.writeHead(202).end(), "accepted", []],
    ["204", (_, res) => res.writeHead(204).end(), "accepted", []],
    ["410", (_, res) => res.writeHead(410).end(), "gone", [failed("a", "answered 410", 0, true)]],
    ["500", (_, res) => res.writeHead(500).end(), "failed", [failed("a", "answered 500", 100)]],
    [
      "302",
      (_, res) => res.writeHead(302, { location: "/" }).end(),
      "failed",
      [failed("a", "answered 302: redirects are not followed", 100)],
    ],
    [
      "429, come back in 2 s",
      (_, res) => res.writeHead(429, { "retry-after": "2" }).end(),
      "failed",
      [failed("a", "answered 429", 2000)],
    ],
    [
      "503, come back tomorrow",
      (_, res) => res.writeHead(503, { "retry-after": "86400" }).end(),
      "failed",
      [failed("a", "answered 503", 5000)],
    ],
    [
      "200 with nonsense",
      (_, res) => res.end("nonsense"),
      "failed",
      [failed("a", "the returned state is invalid: bad_json: no state in sight", 100)],
    ],
    [
      "a state that the log refuses",
      (_, res) => res.end("{}"),
      "failed",
      [put("a", "{}"), failed("a", "the returned state was refused: select_dropped: no", 100)],
      ({ kind }) => (kind === "put" ? refusal("select_dropped") : accepted),
    ],
    ["a state that came too late", (_, res) => res.end("{}"), "lost", [put("a", "{}")], () => refusal("lock_error")],
    ["a state that was deleted", (_, res) => res.end("{}"), "lost", [put("a", "{}")], () => refusal("not_found")],
  ])("%s", async (_, answer, end, commands, decide) => {
    const receiver = await receive(answer);
    const bench = openBench({}, decide);
    bench.callbacks.take([handOut("a", receiver.url)]);
    expect(bench.callbacks.freeSlots()).toBe(3);
    await bench.until(() => bench.freed.length === 1);
    expect(bench.ends).toEqual([end]);
    expect(bench.proposed).toEqual(commands);
    expect(bench.freed).toEqual([1]);
    expect(bench.callbacks.freeSlots()).toBe(4);
  });

  it("is a failure without a call when the address is not allowed", async () => {
    const receiver = await receive((_, response) => response.end("{}"));
    const bench = openBench({ allow: [] });
    bench.callbacks.take([handOut("a", receiver.url), handOut("b", "nonsense")]);
    await bench.until(() => sum(bench.freed) === 2);
    expect(bench.proposed.map((one) => one.kind === "callbackFailed" && one.error.split(":")[0])).toEqual([
      "callback_blocked",
      "bad_request",
    ]);
    expect(receiver.connections).toBe(0);
  });

  it("is proposed again while the cluster has no leader and the lease lasts", async () => {
    const receiver = await receive((_, response) => response.end("{}"));
    const outages = [new SlctError("no_leader", ""), new SlctError("timeout", ""), new SlctError("overloaded", "")];
    const bench = openBench({}, () => outages.shift() ?? accepted);
    bench.callbacks.take([handOut("a", receiver.url)]);
    await bench.until(() => bench.freed.length === 1);
    expect(bench.proposed).toEqual(Array.from({ length: 4 }, () => put("a", "{}")));
    expect(bench.ends).toEqual(["put"]);
    expect(receiver.calls).toHaveLength(1);
  });

  it("is given up when the lease is over", async () => {
    const receiver = await receive((_, response) => response.end("{}"));
    let nowMs = 1_000_000;
    const decide = () => {
      nowMs += 60_000;
      return new SlctError("no_leader", "");
    };
    const bench = openBench({}, decide, { now: () => nowMs });
    bench.callbacks.take([handOut("a", receiver.url, { lock: lockUntil("a", 1_060_000) })]);
    await bench.until(() => bench.freed.length === 1);
    expect(bench.ends).toEqual(["lost"]);
    expect(bench.proposed).toHaveLength(1);
  });

  it("of many at once warns of no leak", async () => {
    const warnings: string[] = [];
    const onWarning = ({ name }: Error) => void warnings.push(name);
    process.on("warning", onWarning);
    const open: ServerResponse[] = [];
    const receiver = await receive((_, response) => {
      if (open.push(response) === 20) for (const one of open) one.end("{}");
    });
    const bench = openBench({ slots: 80 });
    bench.callbacks.take(Array.from({ length: 20 }, (_, n) => handOut(`s${n}`, receiver.url)));
    await bench.until(() => sum(bench.freed) === 20);
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
  });

  it("is not begun by a process that was stopped until its lease was over, and given back if most of it was", async () => {
    const receiver = await receive((_, response) => response.end("{}"));
    const bench = openBench({}, () => accepted, { now: () => 1_000_000 });
    const left = (id: string, ms: number) => handOut(id, receiver.url, { lock: lockUntil(id, 1_000_000 + ms) });
    bench.callbacks.take([left("over", 0), left("nearly", 100), left("fresh", 59_000)]);
    await bench.until(() => bench.ends.length === 3);
    expect([...bench.ends].sort()).toEqual(["givenBack", "lost", "put"]);
    expect(bench.proposed).toContainEqual({ kind: "unlock", id: "nearly", lock: "lock-nearly", delayMs: 0 });
    expect(receiver.calls).toHaveLength(1);
  });
});

describe("the delay after a failure", () => {
  it.each<[attempt: number, random: number, delayMs: number]>([
    [1, 0.5, 100],
    [2, 0.5, 300],
    [3, 0.5, 900],
    [4, 0.5, 2700],
    [5, 0.5, 5000],
    [1000, 0.5, 5000],
    [1, 0, 80],
    [1, 0.999999, 120],
    [5, 0, 4000],
  ])("of attempt %d, drawn %d, is %d ms", async (attempt, random, delayMs) => {
    const receiver = await receive((_, response) => response.writeHead(500).end());
    const bench = openBench({}, () => accepted, { random: () => random });
    bench.callbacks.take([handOut("a", receiver.url, { attempt })]);
    await bench.until(() => bench.freed.length === 1);
    expect(bench.proposed).toEqual([failed("a", "answered 500", delayMs)]);
  });
});

describe("a call", () => {
  it("carries the rendered state, signed", async () => {
    const receiver = await receive((_, response) => response.end("{}"));
    const bench = openBench({}, () => accepted, { now: () => 1_763_683_200_999 });
    bench.callbacks.take([handOut("order.17", receiver.url, { version: 12 })]);
    await bench.until(() => bench.freed.length === 1);
    const [call] = receiver.calls;
    expect(call?.body.toString()).toBe('{"ID":"order.17","Lock":"lock-order.17"}');
    const signed = `order%2E17:12.1763683200.${call?.body.toString()}`;
    expect(call?.headers).toMatchObject({
      "webhook-id": "order%2E17:12",
      "webhook-timestamp": "1763683200",
      "webhook-signature": `v1,${createHmac("sha256", secret).update(signed).digest("base64")}`,
    });
  });

  it("is not opened with a damaged configuration", () => {
    const open = (change: Partial<CallbackConfig>) => () => openBench(change);
    expect(open({ secrets: ["whsec_short"] })).toThrow("a webhook secret is");
    expect(open({ allow: ["no such thing"] })).toThrow("not a host name, address or network");
  });
});
