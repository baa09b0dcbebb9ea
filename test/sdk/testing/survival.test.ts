/**
 * The layers over processes, explored: whatever happens to their workers, the right thing comes out, and once.
 */
import { expect, test } from "vitest";
import {
  activity,
  after,
  end,
  Failure,
  goto,
  implement,
  machine,
  object,
  process,
  recv,
  wait,
  type ProcessContext,
} from "../../../sdk/sdk.js";
import { explore } from "../../../sdk/testing.js";

const runs = 5;
const hour = { wait: "1h" } as const;

test("messages to an object are taken once each, whoever sends them", async () => {
  const account = object(
    "account",
    { version: 1 },
    {
      initial: () => 0,
      handlers: {
        add: async (o, n: number) => {
          if (n > 100) throw new Failure("too much", { code: "too_much" });
          o.state += await o.step("ask", () => n);
          return o.state;
        },
      },
    },
  );
  const payer = process("payer", { version: 1 }, async (p, n: number) => {
    const sum = await p.call(account.of("a").add, n);
    const refused = await p.call(account.of("a").add, 101).then(null, (error: Failure) => error.code);
    return [sum, refused];
  });
  await explore([...account.processes, payer], {
    runs,
    scenario: async ({ client }) => {
      const paid = await client.start(payer, 1, { id: "1" });
      const direct = await client.start(account.of("a").add, 2, { id: "2" });
      const [[sum, refused], other] = [await client.result(paid), await client.result(direct)];
      // Whoever came second has the sum of both.
      expect([[sum, other].sort(), refused]).toEqual([sum === 3 ? [2, 3] : [1, 3], "too_much"]);
    },
  });
});

test("an activity ends by its token, its loser is cancelled", async () => {
  const approve = activity<number, string>("people", "approve");
  let tokens = new Map<number, string>();
  const doing = implement(approve, (n, a) => (tokens.set(n, a.token), a.pending()));
  const asking = process("asking", { version: 1 }, (p) =>
    p.loop<string[], string[]>([], async (seen, p) => {
      if (seen.length === 2) return p.done(seen);
      const calls = [p.call(approve, 2 * seen.length), p.call(approve, 2 * seen.length + 1)] as const;
      const r = await p.select({ first: calls[0], second: calls[1] });
      return [...seen, r.ok ? r.value : r.error.code];
    }),
  );
  await explore(asking, {
    runs,
    activities: [doing],
    scenario: async (cluster) => {
      tokens = new Map();
      const { client } = cluster;
      const started = await client.start(asking, null, { id: "1" });
      for (const n of [1, 2]) {
        while (!tokens.has(n)) await cluster.advance("1s");
        await client.resolve(tokens.get(n) ?? "", `by ${n}`);
      }
      expect(await client.result(started)).toEqual(["by 1", "by 2"]);
      await cluster.advance("10s");
      const { States } = await client.listStates({ prefix: "people/" });
      expect(States.map(({ Status }) => Status)).toEqual(["done", "done", "done", "done"]);
    },
  });
});

test("threads, channels of their own, children and cancellation", async () => {
  const child = process("child", { version: 1 }, async (p, n: number) => {
    await p.sleep("1s");
    return n * 2;
  });
  let undone: string[] = [];
  const parent = process("parent", { version: 1 }, async (p: ProcessContext) => {
    p.defer(async () => void (await p.step("undo", ({ idempotencyKey }) => void undone.push(idempotencyKey))));
    const results = p.chan<number>(1);
    for (const n of [1, 2]) void p.go(async (p) => p.send(results, await p.call(child, n)));
    const sum = (await p.recv(results)) + (await p.recv(results));
    p.vars["sum"] = sum;
    await p.recv("never");
  });
  await explore([parent, child], {
    runs,
    scenario: async ({ client }) => {
      undone = [];
      const { id } = await client.start(parent, null, { id: "1" });
      for (let version = -1, sum: unknown; sum === undefined;) {
        const { Vars, Version } = await client.getState(id, { after: version, ...hour });
        [version, sum] = [Version, Vars?.["sum"]];
      }
      expect(await client.vars(id)).toEqual({ sum: 6 });
      await client.cancel(id);
      await expect(client.result(id)).rejects.toMatchObject({ code: "cancelled" });
      expect(new Set(undone).size).toBe(1);
    },
  });
});

test("a machine", async () => {
  const door = machine<null, { knocks: number }, string>(
    "door",
    { version: 1 },
    {
      start: () => goto("closed", { knocks: 0 }),
      states: {
        closed: wait({
          select: () => ({ knock: recv("knock"), late: after("1 day") }),
          on: {
            knock: ({ knocks }) => (knocks === 2 ? end("open") : goto("closed", { knocks: knocks + 1 })),
            late: ({ knocks }) => end(`closed after ${knocks}`),
          },
        }),
      },
    },
  );
  await explore(door, {
    runs,
    scenario: async ({ client }) => {
      const started = await client.start(door, null, { id: "1" });
      for (let n = 0; n < 3; n++) await client.send("knock", n, hour);
      expect(await client.result(started)).toBe("open");
    },
  });
});
