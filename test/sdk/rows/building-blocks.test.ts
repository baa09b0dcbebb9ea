/**
 * Rows R: services, objects and promises, as their documents have them (docs/sdk/rows.md).
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Failure, object, process, service, type ObjectDefinition, type ProcessContext } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster({ alwaysReplay: true });
});
afterEach(() => cluster.close());

const day = 86_400_000;
const make = <T>(run: (p: ProcessContext) => PromiseLike<T>) => process<null, T>("row", { version: 1 }, run);

test("R1 ordinary code is durable: conditions, loops, threads, exceptions, over the death of every worker", async () => {
  const ordinary = make(async (p) => {
    const seen: string[] = [];
    for (let n = 0; n < 3; n++) {
      try {
        await p.sleep("1m");
        if (n === 1) throw new Failure("odd", { code: "odd" });
        seen.push(`${n}`);
      } catch (error) {
        seen.push((error as Failure).code);
      } finally {
        seen.push("/");
      }
    }
    const all = await Promise.all(["a", "b"].map((name) => p.go(async (p) => (await p.sleep("1m"), name))));
    return [...seen, ...all].join("");
  });
  const { client } = cluster;
  const started = await client.start(ordinary, null);
  for (let n = 0; n < 5; n++) {
    const worker = cluster.worker({ processes: [ordinary], lease: "1s" });
    await cluster.advance("1m");
    worker.kill();
  }
  cluster.worker({ processes: [ordinary] });
  expect(await cluster.complete(client.result(started))).toBe("0/odd/2/ab");
});

test("R3 one process instead of a retry loop, a store, a scheduler and a queue", async () => {
  let calls = 0;
  type Reports = {
    make: (o: never, name: string) => Promise<null>;
    read: (o: never) => { last: string; made: number };
  };
  const reports: ObjectDefinition<Reports> = object(
    "reports",
    { version: 1 },
    {
      initial: () => ({ last: "none", made: 0 }),
      handlers: {
        // The store: state. The retry loop: step. The scheduler: a message to itself, later. The queue: its inbox.
        make: async (o, name: string) => {
          const report = await o.step("fetch", () => {
            if (++calls % 2 === 1) throw new Error("try again");
            return `${name} by ${calls}`;
          });
          o.state = { last: report, made: o.state.made + 1 };
          if (o.state.made < 4) o.spawn(reports.of(o.key).make, name, { startAt: o.now() + day });
          return null;
        },
        read: (o): { last: string; made: number } => o.state,
      },
    },
  );
  cluster.worker({ processes: reports.processes });
  const { client } = cluster;
  await client.start(reports.of("sales").make, "sales");
  await client.start(reports.of("sales").make, "returns");
  await cluster.advance("5 days");
  const state = await client.result(await client.start(reports.of("sales").read, null));
  expect(state).toMatchObject({ made: 5 });
  expect(calls).toBe(10);
});

test("R5 the context has everything that is durable", async () => {
  const names = [
    ...["select", "recv", "send", "after", "at", "sleep", "range", "go", "step", "spawn", "call", "result", "cancel"],
    ...["chan", "make", "close", "promise", "resolve", "reject", "loop", "now", "random", "uuid", "vars", "signal"],
    ...["defer", "info"],
  ];
  const looking = make((p) => Promise.resolve(names.filter((name) => !(name in p))));
  cluster.worker({ processes: [looking] });
  expect(await cluster.client.result(await cluster.client.start(looking, null))).toEqual([]);
});

describe("messages", () => {
  const inbox = object(
    "inbox",
    { version: 1 },
    {
      initial: (): string[] => [],
      handlers: { put: (o, text: string) => void o.state.push(text), read: (o) => o.state },
    },
  );
  const read = async () => cluster.client.result(await cluster.client.start(inbox.of("a").read, null));

  test("R10 one way to another service or object: who sends does not wait, and need not live on", async () => {
    const mail = service("mail", { version: 1 }, { put: (p, text: string) => p.call(inbox.of("a").put, text) });
    const sender = make((p) => {
      p.spawn(inbox.of("a").put, "to an object");
      p.spawn(mail.handlers.put, "to a service");
      return Promise.resolve("gone");
    });
    const worker = cluster.worker({ processes: [sender] });
    const started = await cluster.client.start(sender, null);
    expect(await cluster.client.result(started)).toBe("gone");
    worker.kill();
    await cluster.client.deleteState(started.id, { force: true });
    // Nobody of them was there when it was sent.
    cluster.worker({ processes: [...mail.processes, ...inbox.processes] });
    await cluster.untilQuiescent();
    expect((await read()).sort()).toEqual(["to a service", "to an object"]);
  });

  test("R11 later: it outlives everybody", async () => {
    const sender = make((p) => {
      p.spawn(inbox.of("a").put, "tomorrow", { startAt: p.now() + day });
      return Promise.resolve();
    });
    const worker = cluster.worker({ processes: [sender, ...inbox.processes] });
    await cluster.client.start(sender, null);
    await cluster.advance("1h");
    worker.kill();
    await cluster.advance("2 days");
    cluster.worker({ processes: inbox.processes });
    await cluster.untilQuiescent();
    expect(await read()).toEqual(["tomorrow"]);
  });

  test("R21 a handler is scheduled for a day later, with nothing for input", async () => {
    let ran: number[] = [];
    const tidy = service(
      "tidy",
      { version: 1 },
      { up: (p) => p.step("tidy", () => void ran.push(cluster.time.now())) },
    );
    ran = [];
    cluster.worker({ processes: tidy.processes });
    const at = cluster.time.now() + day;
    const started = await cluster.client.start(tidy.handlers.up, null, { startAt: at });
    await cluster.complete(cluster.client.result(started));
    expect(ran).toEqual([at]);
  });
});

describe("promises", () => {
  type Desk = {
    ask: (o: never) => Promise<string>;
    note: (o: never, id: string) => void;
    answer: (o: never, text: string) => void;
  };
  const desk: ObjectDefinition<Desk> = object(
    "desk",
    { version: 1 },
    {
      initial: () => "",
      handlers: {
        ask: async (o) => {
          const promise = o.promise<string>();
          o.spawn(desk.of("boss").note, promise.id);
          return promise;
        },
        note: (o, id: string) => void (o.state = id),
        answer: (o, text: string) => o.resolve(o.state, text),
      },
    },
  );

  test("R13 a handler waits until another one tells it", async () => {
    cluster.worker({ processes: desk.processes });
    const { client } = cluster;
    const asked = await client.start(desk.of("clerk").ask, null);
    await cluster.untilQuiescent();
    await expect(client.result(asked, { wait: 0 })).rejects.toMatchObject({ code: "not_ready" });
    await client.start(desk.of("boss").answer, "granted");
    expect(await client.result(asked)).toBe("granted");
  });

  test("R14 a promise that is waited for outlives the crash of who waits, settled before or after it", async () => {
    const waiting = make(async (p) => {
      const promise = p.promise<string>();
      p.vars["id"] = promise.id;
      return promise;
    });
    for (const settledFirst of [true, false]) {
      const worker = cluster.worker({ processes: [waiting], lease: "1s" });
      const { id } = await cluster.client.start(waiting, null);
      await cluster.untilQuiescent();
      worker.kill();
      const promise = (await cluster.client.vars(id))["id"] as string;
      if (settledFirst) await cluster.client.resolve(promise, "kept");
      const heir = cluster.worker({ processes: [waiting] });
      await cluster.untilQuiescent();
      if (!settledFirst) await cluster.client.resolve(promise, "kept");
      expect(await cluster.complete(cluster.client.result(id))).toBe("kept");
      heir.kill();
    }
  });

  test("R18 a crash two seconds into a sleep of five leaves three", async () => {
    const sleeping = make(async (p) => (await p.sleep("5s"), p.now()));
    const worker = cluster.worker({ processes: [sleeping] });
    const begin = cluster.time.now();
    const started = await cluster.client.start(sleeping, null);
    await cluster.advance("2s");
    worker.kill();
    cluster.worker({ processes: [sleeping] });
    await cluster.advance("2999ms");
    await expect(cluster.client.result(started, { wait: 0 })).rejects.toMatchObject({ code: "not_ready" });
    await cluster.advance("1ms");
    expect(await cluster.client.result(started, { wait: 0 })).toBe(begin + 5000);
  });

  test("R19 a promise or a timeout, whichever is first, and the code knows which", async () => {
    const either = make(async (p) => {
      const promise = p.promise<number>();
      p.vars["id"] = promise.id;
      const r = await p.select({ promise, late: p.after("1h") });
      switch (r.tag) {
        case "promise":
          return r.ok ? `kept with ${r.value}` : `broken with ${r.error.code}`;
        case "late":
          return "late";
      }
    });
    cluster.worker({ processes: [either] });
    const { client } = cluster;
    const all = await Promise.all([1, 2, 3].map(() => client.start(either, null)));
    await cluster.untilQuiescent();
    const ids = await Promise.all(all.map(async ({ id }) => (await client.vars(id))["id"] as string));
    await client.resolve(ids[0] ?? "", 7);
    await client.reject(ids[1] ?? "", new Failure("no", { code: "refused" }));
    await cluster.advance("1h");
    expect(await Promise.all(all.map((one) => client.result(one)))).toEqual([
      "kept with 7",
      "broken with refused",
      "late",
    ]);
  });

  test("R20 a race of any mix: promise, call, timer, channel, send, child", async () => {
    const child = process("racer", { version: 1 }, async (p, after: string) => (await p.sleep(after), after));
    const race = process("race", { version: 1 }, async (p, after: string) => {
      const promise = p.promise();
      p.vars["id"] = promise.id;
      const r = await p.select({
        promise,
        call: p.call(child, after),
        known: p.result("racer/known"),
        word: p.recv("race-word"),
        offer: p.send("race-offer", 1),
        late: p.after("1 day"),
      });
      return r.tag;
    });
    cluster.worker({ processes: [race, child] });
    const { client } = cluster;
    const run = async (act: (id: string) => Promise<unknown>, after = "3 days") => {
      const started = await client.start(race, after);
      await cluster.untilQuiescent();
      await act((await client.vars(started.id))["id"] as string);
      return cluster.complete(client.result(started));
    };
    const nothing = () => Promise.resolve();
    expect(await run((id) => client.resolve(id, 1))).toBe("promise");
    expect(await run(() => client.send("race-word", 1))).toBe("word");
    expect(await run(() => client.recv("race-offer"))).toBe("offer");
    expect(await run(nothing)).toBe("late");
    expect(await run(nothing, "1h")).toBe("call");
    await client.start(child, "1m", { id: "known" });
    expect(await run(nothing)).toBe("known");
  });
});

test("R23 what is not deterministic, or outside, is done in a step: elsewhere it is refused", async () => {
  const drawn: number[] = [];
  const careful = make(async (p) => {
    const first = await p.step("draw", () => (drawn.push(1), Math.random() + Date.now()));
    await p.sleep("1s");
    return [first, await p.step("again", () => first)];
  });
  const careless = process("careless", { version: 1 }, (p) => Promise.resolve(Math.random() + p.now()));
  const warnings: string[] = [];
  cluster.worker({ processes: [careful, careless], warn: (text) => void warnings.push(text) });
  const [first, again] = await cluster.complete(cluster.client.result(await cluster.client.start(careful, null)));
  expect([drawn.length, first]).toEqual([1, again]);
  const failed = cluster.client.result(await cluster.client.start(careless, null));
  await expect(cluster.complete(failed)).rejects.toMatchObject({ code: "not_durable" });
});
