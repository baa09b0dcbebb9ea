/**
 * Explorations: code that bears everything is let pass, code that does not is found, with a short plan.
 */
import { expect, test } from "vitest";
import { process, type ProcessContext } from "../../../sdk/sdk.js";
import { explore, type TestCluster } from "../../../sdk/testing.js";
import { readPlan, shorter, writePlan } from "../../../sdk/testing/plan.js";

/** A shop over something outside that counts, whose every line may be the last of its worker. */
function shop(book: (key: string) => void) {
  return process("shop", { version: 1 }, async (p: ProcessContext, items: number) => {
    const order = await p.step("order", () => items);
    const paid = await p.select({ paid: p.recv<number>("paid"), late: p.after("1 day") });
    if (paid.tag === "late") return "late";
    await p.step("book", ({ idempotencyKey }) => book(idempotencyKey));
    return `${order} items`;
  });
}

async function buy({ client }: TestCluster): Promise<string> {
  const started = await client.start(
    shop(() => undefined),
    3,
    { id: "1" },
  );
  await client.send("paid", 30, { wait: "1h" });
  return client.result(started);
}

test("code that bears everything is let pass, after a death before and behind each put-back", async () => {
  let keys = new Set<string>();
  const { runs, putBacks } = await explore(
    shop((key) => keys.add(key)),
    {
      runs: 10,
      scenario: async (cluster) => {
        keys = new Set();
        expect(await buy(cluster)).toBe("3 items");
        expect(keys.size).toBe(1);
      },
    },
  );
  expect(putBacks).toBeGreaterThan(1);
  expect(runs).toBe(1 + 2 * putBacks + 10);
});

test("what is done twice is found, and the plan that shows it plays it again", async () => {
  let count = 0;
  const scenario = async (cluster: TestCluster) => {
    count = 0;
    await buy(cluster);
    expect(count).toBe(1);
  };
  const error = (await explore(
    shop(() => void (count += 1)),
    { scenario },
  ).then(null, (thrown: unknown) => thrown)) as Error;
  const [, plan = ""] = /plan: "([^"]*)"/.exec(error.message) ?? [];
  // One death, behind the step and before its result is stored.
  expect(plan).toMatch(/^0!\d+b$/);
  expect(error.message).toContain("expected 2 to be 1");
  const again = () =>
    explore(
      shop(() => void (count += 1)),
      { scenario, plan },
    );
  for (let n = 0; n < 3; n++) await expect(again()).rejects.toThrow("expected 2 to be 1");
});

test("code that does not repeat is found without any mishap", async () => {
  let runs = 0;
  const moody = process("moody", { version: 1 }, async (p) => {
    if (runs++ % 2 === 0) await p.sleep("1s");
    await p.recv("word");
  });
  const scenario = async ({ client }: TestCluster) => {
    runs = 0;
    const started = await client.start(moody, null, { id: "1" });
    await client.send("word", 1, { wait: "1h" });
    await client.result(started);
  };
  await expect(explore(moody, { scenario, plan: "1" })).rejects.toThrow(
    /journal has "time", the code now asks for "recv word"/,
  );
});

test("a race that one order of events wins is found", async () => {
  // Whoever comes second is forgotten: right only if the order of two senders is always the same.
  const first = process("first", { version: 1 }, async (p) => p.recv<string>("words"));
  const scenario = async ({ client }: TestCluster) => {
    const started = await client.start(first, null, { id: "1" });
    const wait = { wait: "1h" };
    void client.send("words", "a", wait).catch(() => undefined);
    void client.send("words", "b", wait).catch(() => undefined);
    expect(await client.result(started)).toBe("a");
  };
  await expect(explore(first, { scenario })).rejects.toThrow(/plan: "\d+"/);
});

test("a plan is a text", () => {
  for (const text of ["0", "7!3b", "12!1a,2b,30d,31l"]) expect(writePlan(readPlan(text))).toBe(text);
  for (const text of ["", "x", "1!", "1!3x", "1!a"]) expect(() => readPlan(text)).toThrow(RangeError);
  expect(shorter(readPlan("7!3b,5l")).map(writePlan)).toEqual(["7", "7!5l", "7!3b", "0!3b,5l", "7!3b,5a"]);
  expect(shorter(readPlan("0"))).toEqual([]);
});
