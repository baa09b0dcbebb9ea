/**
 * What a worker does about code that does not fit, other versions, codecs, and its own end.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encrypted, packed, process, type ProcessContext } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";
import { until } from "../process/running.js";

let cluster: TestCluster;
let warnings: string[];
beforeEach(() => {
  cluster = createTestCluster();
  warnings = [];
});
afterEach(() => cluster.close());

const warn = (message: string) => void warnings.push(message);
const make = <T>(run: (p: ProcessContext) => PromiseLike<T>, version: number | string = 1) =>
  process<null, T>("test", { version }, run);

/** Runs it, then what may be other code instead, on a new worker. */
async function replace(before: ReturnType<typeof make>, after: ReturnType<typeof make>) {
  const first = cluster.worker({ processes: [before], warn });
  const { id } = await cluster.client.start(before, null, { id: "1" });
  await cluster.untilQuiescent();
  first.kill();
  const heir = cluster.worker({ processes: [after], warn });
  await cluster.advance("1m");
  return { state: await cluster.client.getState(id), heir };
}

describe("code that does not fit its journal", () => {
  test("pauses the process, and both sides are named with the line", async () => {
    const { state } = await replace(
      make(async (p) => {
        await p.step("charge", () => 1);
        await p.sleep("2s");
      }),
      make(async (p) => {
        await p.recv("payment");
        await p.sleep("2s");
      }),
    );
    expect(state.Status).toBe("paused");
    expect(state.LastError ?? state.PausedReason).toMatch(
      /operation 1: the journal has "step charge", the code now asks for "recv payment" \(worker\.test\.ts:\d+\)/,
    );
    expect(warnings.length).toBe(1);
  });

  test("is noticed when it asks for less", async () => {
    const { state } = await replace(
      make(async (p) => {
        await p.step("charge", () => 1);
        await p.sleep("2s");
      }),
      make((p) => p.sleep("2s")),
    );
    expect([state.Status, state.PausedReason ?? state.LastError]).toEqual(["paused", expect.stringContaining("time")]);
  });

  test("goes on when the code is mended and the process resumed", async () => {
    const right = make(async (p) => {
      await p.sleep("2s");
      return p.recv("word");
    });
    const { state, heir } = await replace(
      right,
      make((p) => p.recv("word")),
    );
    heir.kill();
    expect(state.Status).toBe("paused");
    cluster.worker({ processes: [right] });
    await cluster.client.resumeState(state.ID);
    await cluster.client.send("word", "fine", { wait: "1s" });
    expect(await cluster.client.result(state.ID)).toBe("fine");
  });
});

describe("P11 process code that breaks the rules", () => {
  test.each<[string, (p: ProcessContext) => Promise<unknown>, string]>([
    ["awaits what is not p's", () => new Promise(() => undefined), "wrap it in p.step"],
    ["ends with what is no JSON", () => Promise.resolve(1n), "no JSON"],
  ])("%s", async (_, run, what) => {
    cluster.worker({ processes: [make(run)], warn, foreignMs: 20 });
    const { id } = await cluster.client.start(make(run), null);
    await cluster.untilQuiescent();
    const state = await cluster.client.getState(id);
    const told = state.Status === "paused" ? state.PausedReason : JSON.stringify(state.Data);
    expect(told).toContain(what);
  });

  test.each<[string, () => unknown]>([
    ["Date.now()", () => Date.now()],
    ["new Date()", () => new Date()],
    ["Math.random()", () => Math.random()],
    ["crypto.randomUUID()", () => crypto.randomUUID()],
  ])("calls %s: told once, or an error", async (call, run) => {
    const definition = make((p) => Promise.resolve(run() !== undefined && p.now() > 0));
    const worker = cluster.worker({ processes: [definition], warn, guard: "warn" });
    for (let n = 0; n < 2; n++) await cluster.client.result(await cluster.client.start(definition, null));
    expect(warnings).toEqual([expect.stringContaining(call)]);
    worker.kill();
    cluster.worker({ processes: [definition], warn });
    const started = await cluster.client.start(definition, null);
    await expect(cluster.client.result(started)).rejects.toMatchObject({ code: "not_durable" });
  });
});

describe("versions", () => {
  const v1 = make(async (p) => (await p.sleep("1h"), "old"), 1);
  const v2 = make(async (p) => (await p.sleep("2h"), "new"), 2);

  test("P19 a process stays with its own", async () => {
    cluster.worker({ processes: [v1, v2] });
    const [first, second] = [await cluster.client.start(v1, null), await cluster.client.start(v2, null)];
    await cluster.advance("2h");
    expect([await cluster.client.result(first), await cluster.client.result(second)]).toEqual(["old", "new"]);
  });

  test("one that a worker has not is left to another", async () => {
    cluster.worker({ processes: [v2], warn });
    const started = await cluster.client.start(v1, null);
    await cluster.untilQuiescent();
    expect(warnings[0]).toContain("only its versions 2");
    cluster.worker({ processes: [v1] });
    await cluster.advance("2h");
    expect(await cluster.client.result(started)).toBe("old");
  });

  test("one may take over from another, with its carry", async () => {
    const count = (version: number, unit: number) =>
      process<{ unit: number }, number>(
        "test",
        {
          version,
          migrate: ({ carry }) => ({ input: { unit }, carry: Number(carry) * 100 }),
        },
        (p, input) =>
          p.loop(0, async (n, p) => {
            await p.sleep("1m");
            return n >= 3 * input.unit ? p.done(n) : n + input.unit;
          }),
      );
    const first = cluster.worker({ processes: [count(1, 1)] });
    const started = await cluster.client.start(count(1, 1), { unit: 1 });
    await cluster.advance("2m");
    first.kill();
    cluster.worker({ processes: [count(2, 100)] });
    await cluster.advance("1h");
    expect(await cluster.client.result(started)).toBe(300);
  });
});

describe("codecs", () => {
  const key = (fill: number) => new Uint8Array(32).fill(fill);
  const echo = process("test", { version: 1 }, async (p, secret: string) => {
    p.vars["shown"] = "yes";
    await p.sleep("1h");
    return p.step("echo", () => `${secret}!`);
  });

  test("nobody else reads what a process was given, did and returned; a key may be replaced", async () => {
    const old = encrypted(key(1), "old");
    const client = cluster.newClient({ codec: old });
    const started = await client.start(echo, "the secret");
    cluster.worker({ processes: [echo], codec: [encrypted(key(2), "new"), old] });
    await cluster.untilQuiescent();
    const text = async () => JSON.stringify(await cluster.client.getState(started.id));
    expect(await text()).not.toContain("secret");
    expect(await text()).toContain('"shown":"yes"');
    await cluster.advance("1h");
    expect(await text()).not.toContain("secret");
    await expect(client.result(started)).rejects.toMatchObject({ code: "bad_answer" });
    const both = cluster.newClient({ codec: [old, encrypted(key(2), "new")] });
    expect(await both.result(started)).toBe("the secret!");
  });

  test("P5 any library that packs", async () => {
    const library = {
      pack: (value: unknown) => new TextEncoder().encode(JSON.stringify(value).toUpperCase()),
      unpack: (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes).toLowerCase()) as unknown,
    };
    const codec = packed("upper", library);
    const client = cluster.newClient({ codec });
    const started = await client.start(echo, "a");
    cluster.worker({ processes: [echo], codec });
    await cluster.advance("1h");
    expect(await client.result(started)).toBe("a!");
  });
});

describe("its end", () => {
  test("P17 what runs is finished, and nothing more taken", async () => {
    let finish: (() => void) | undefined;
    const slow = make((p) => p.step("slow", () => new Promise<string>((resolve) => (finish = () => resolve("done")))));
    const worker = cluster.worker({ processes: [slow], linger: 0 });
    const started = await cluster.client.start(slow, null);
    await until(() => finish !== undefined);
    const stopped = worker.stop();
    const later = await cluster.client.start(slow, null);
    finish?.();
    await stopped;
    expect(await cluster.client.result(started)).toBe("done");
    expect((await cluster.client.getState(later.id)).Status).toBe("pending");
  });

  test("what takes longer than its grace is given back at once", async () => {
    const signals: AbortSignal[] = [];
    const slow = make((p) =>
      p.step(
        "slow",
        ({ signal }) => (signals.push(signal), signals.length > 1 ? "done" : new Promise<string>(() => undefined)),
      ),
    );
    const worker = cluster.worker({ processes: [slow], linger: 0, grace: "1s", lease: "1h" });
    const started = await cluster.client.start(slow, null);
    await until(() => signals.length > 0);
    const stopped = worker.stop();
    const end = cluster.time.now() + 1000;
    while ((cluster.time.nextMs ?? Infinity) <= end) cluster.time.step(cluster.time.nextMs ?? end);
    await stopped;
    cluster.worker({ processes: [slow] });
    expect(await cluster.client.result(started)).toBe("done");
    expect(signals[0]?.aborted).toBe(true);
  });
});

test("a loop of many iterations keeps its state small", async () => {
  const iterations = 300;
  const count = make((p) =>
    p.loop({ n: 0, text: "x".repeat(100) }, async ({ n, text }, p) => {
      if (n === iterations) return p.done(n);
      return { n: n + (await p.step("one", () => 1)), text };
    }),
  );
  let longest = 0;
  cluster.onRequest = ({ body }) => void (longest = Math.max(longest, body?.length ?? 0));
  cluster.worker({ processes: [count] });
  expect(await cluster.client.result(await cluster.client.start(count, null))).toBe(iterations);
  expect(longest).toBeLessThan(1000);
});

/** How often workers look at their states while they hold them. */
function countLooks(): { count: number } {
  const looks = { count: 0 };
  cluster.onRequest = ({ method, path, worker }) => {
    if (method === "GET" && worker && !path.startsWith("/state/poll")) looks.count += 1;
    return undefined;
  };
  return looks;
}

test("a process of quick steps asks for nothing but to be stored", async () => {
  const looks = countLooks();
  const quick = make(async (p) => {
    for (let n = 0; n < 50; n++) await p.step("quick", () => pass(100));
  });
  cluster.worker({ processes: [quick] });
  await cluster.client.result(await cluster.client.start(quick, null));
  expect(looks.count).toBe(0);
});

test("one that has a long step beside quick ones looks for news twice a second at most", async () => {
  const looks = countLooks();
  const cancelAt = 80;
  const quick = make(async (p) => {
    const long = p.go((p) =>
      p.step("long", ({ signal }) => new Promise((end) => signal.addEventListener("abort", () => end(null)))),
    );
    let n = 0;
    while (!p.signal.aborted) {
      await p.step("quick", () => {
        if (++n === cancelAt) void cluster.client.cancel("test/1");
        pass(100);
      });
    }
    await long;
    return n;
  });
  cluster.worker({ processes: [quick] });
  const steps = await cluster.client.result(await cluster.client.start(quick, null, { id: "1" }));
  // The end of the long step, all the same: after two seconds at most, and the time that the requests took.
  expect(steps).toBeGreaterThanOrEqual(cancelAt);
  expect(steps).toBeLessThan(cancelAt + 40);
  expect(looks.count).toBeGreaterThan(0);
  expect(looks.count).toBeLessThan(steps / 3);
});

/** Moves time on from within a step. */
function pass(ms: number): void {
  const { time } = cluster;
  const end = time.now() + ms;
  while ((time.nextMs ?? Infinity) <= end) time.step(time.nextMs ?? end);
  time.step(end);
}
