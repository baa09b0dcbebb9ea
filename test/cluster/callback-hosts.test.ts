import { afterEach, describe, expect, it } from "vitest";
import { accepted, handOut, lockUntil, openBench, put, sum } from "./callbacks-bench.js";
import { cleanUp } from "./cleanup.js";
import { receive } from "./receiver.js";

afterEach(cleanUp);

describe("a host that does not answer", () => {
  it("keeps a quarter of the slots, what waits for it keeps none, and others are served", async () => {
    const hung = await receive(() => undefined);
    const alive = await receive((_, response) => response.end("{}"));
    const bench = openBench({ slots: 8 });
    bench.callbacks.take(Array.from({ length: 8 }, (_, n) => handOut(`hung-${n}`, hung.url)));
    expect(bench.callbacks.freeSlots()).toBe(6);
    expect(bench.freed).toEqual([6]);
    await hung.until(2);

    bench.callbacks.take(Array.from({ length: 6 }, (_, n) => handOut(`alive-${n}`, alive.url)));
    await bench.until(() => bench.ends.length === 6);
    expect(new Set(bench.ends)).toEqual(new Set(["put"]));
    await bench.until(() => sum(bench.freed) === 12);
    expect(hung.calls).toHaveLength(2);
  });

  it("passes its slots on to what waits for it, in order", async () => {
    const answers: (() => void)[] = [];
    const slow = await receive((_, response) => answers.push(() => response.end("{}")));
    const bench = openBench({ slots: 4 });
    bench.callbacks.take(Array.from({ length: 4 }, (_, n) => handOut(`s${n}`, slow.url)));
    for (let n = 1; n <= 4; n++) {
      await slow.until(n);
      expect(slow.calls).toHaveLength(n);
      answers.shift()?.();
    }
    await bench.until(() => bench.ends.length === 4);
    expect(slow.calls.map(({ body }) => (JSON.parse(body.toString()) as { ID: string }).ID)).toEqual([
      "s0",
      "s1",
      "s2",
      "s3",
    ]);
    await bench.until(() => sum(bench.freed) === 4);
    expect(bench.callbacks.freeSlots()).toBe(4);
  });

  it("fills a bounded queue; the surplus is given back", async () => {
    const hung = await receive(() => undefined);
    const bench = openBench({ slots: 1 });
    bench.callbacks.take(Array.from({ length: 7 }, (_, n) => handOut(`h${n}`, hung.url)));
    await bench.until(() => bench.ends.length === 2);
    expect(bench.proposed).toEqual([
      { kind: "unlock", id: "h5", lock: "lock-h5", delayMs: 6250 },
      { kind: "unlock", id: "h6", lock: "lock-h6", delayMs: 6250 },
    ]);
    await bench.until(() => sum(bench.freed) === 6);
  });

  it("gives back what its lease would not outlast", async () => {
    const answers: (() => void)[] = [];
    const slow = await receive((_, response) => answers.push(() => response.end("{}")));
    let nowMs = 1_000_000;
    const bench = openBench({ slots: 1 }, () => accepted, { now: () => nowMs });
    const until = (id: string) => ({ lock: lockUntil(id, 1_060_000) });
    bench.callbacks.take([handOut("a", slow.url, until("a")), handOut("b", slow.url, until("b"))]);
    await slow.until(1);
    nowMs += 45_000;
    answers.shift()?.();
    await bench.until(() => bench.ends.length === 2);
    expect(bench.proposed).toEqual([put("a", "{}"), { kind: "unlock", id: "b", lock: "lock-b", delayMs: 6250 }]);
  });

  it("is left alone after five refused connections, then tried once", async () => {
    const receiver = await receive((_, response) => response.end("{}"));
    const { url } = receiver;
    await receiver.close();
    let nowMs = 1_000_000;
    const bench = openBench({ slots: 8 }, () => accepted, { now: () => nowMs });
    for (let n = 1; n <= 5; n++) {
      bench.callbacks.take([handOut(`a${n}`, url)]);
      await bench.until(() => bench.ends.length === n);
    }
    expect(bench.proposed.every(({ kind }) => kind === "callbackFailed")).toBe(true);
    bench.callbacks.take([handOut("b", url), handOut("c", url)]);
    await bench.until(() => bench.ends.length === 7);
    // 100 ms, of which three quarters are drawn, and a quarter more for the way back.
    expect(bench.proposed.slice(5)).toEqual([
      { kind: "unlock", id: "b", lock: "lock-b", delayMs: 94 },
      { kind: "unlock", id: "c", lock: "lock-c", delayMs: 94 },
    ]);
    nowMs += 80;
    bench.callbacks.take([handOut("d", url), handOut("e", url)]);
    await bench.until(() => bench.ends.length === 9);
    expect(bench.proposed.slice(7).map(({ kind }) => kind)).toEqual(["callbackFailed", "unlock"]);
  });

  it("does not count answers as silence", async () => {
    const receiver = await receive((_, response) => response.writeHead(500).end());
    const bench = openBench();
    for (let n = 1; n <= 8; n++) {
      bench.callbacks.take([handOut(`a${n}`, receiver.url)]);
      await bench.until(() => bench.ends.length === n && sum(bench.freed) === n);
    }
    expect(receiver.calls).toHaveLength(8);
  });
});

describe("close", () => {
  it("waits for a call that is about to end, gives back what waits, and asks for no more", async () => {
    const answers: (() => void)[] = [];
    const slow = await receive((_, response) => answers.push(() => response.end("{}")));
    const bench = openBench({ slots: 1 });
    bench.callbacks.take([handOut("a", slow.url), handOut("b", slow.url)]);
    await slow.until(1);
    const announced = bench.freed.length;
    const closed = bench.callbacks.close();
    answers.shift()?.();
    await closed;
    expect(bench.proposed).toEqual([{ kind: "unlock", id: "b", lock: "lock-b", delayMs: 0 }, put("a", "{}")]);
    bench.callbacks.take([handOut("c", slow.url)]);
    await bench.until(() => bench.ends.length === 3);
    expect(bench.proposed.at(-1)).toMatchObject({ kind: "unlock", id: "c" });
    expect(bench.freed).toHaveLength(announced);
  });

  it("aborts a call that does not end, and gives the state back", async () => {
    const hung = await receive(() => undefined);
    const bench = openBench();
    bench.callbacks.take([handOut("a", hung.url)]);
    await hung.until(1);
    await bench.callbacks.close();
    expect(bench.proposed).toEqual([{ kind: "unlock", id: "a", lock: "lock-a", delayMs: 0 }]);
    expect(bench.ends).toEqual(["givenBack"]);
  });
});
