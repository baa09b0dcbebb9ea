/**
 * Rows of processes as those see them who start them: schedules, results, events, statuses, and a subscription.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { charge, subscription, unsubscribe } from "../../../examples/subscription.js";
import { Failure, implement, process } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";
import { until } from "../process/running.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

describe("from outside", () => {
  test("P19 a process is scheduled under an ID, with a version, for a time", async () => {
    const ran: string[] = [];
    const make = (version: number) =>
      process("report", { version }, async (p, what: string) => {
        ran.push(await p.step("write", () => `${what} by ${version} at ${p.now() - begin}`));
      });
    const begin = cluster.time.now();
    const startAt = new Date(begin + 60_000);
    cluster.worker({ processes: [make(1), make(2)] });
    const first = await cluster.client.start(make(1), "sales", { id: "monday", startAt });
    const again = await cluster.client.start(make(2), "costs", { id: "monday" });
    const later = await cluster.client.start(make(2), "costs", { id: "tuesday", startAt: begin + 120_000 });
    expect([first.created, again.created, later.created, again.id]).toEqual([true, false, true, "report/monday"]);
    await cluster.advance("59s");
    expect(ran).toEqual([]);
    await cluster.advance("1m");
    expect(ran).toEqual(["sales by 1 at 60000"]);
    await cluster.advance("1m");
    expect(ran.at(-1)).toBe("costs by 2 at 120000");
  });

  const patient = process("patient", { version: 1 }, async (p, n: number) => {
    p.vars["asked"] = n;
    const word = await p.recv<string>(`words-${n}`);
    if (word === "no") throw new Failure("was told no", { code: "refused", details: { n } });
    return word;
  });

  test("P21 a result is awaited by ID: the value, the failure, or that it cannot be told", async () => {
    cluster.worker({ processes: [patient] });
    const [first, second, third] = await Promise.all([1, 2, 3].map((n) => cluster.client.start(patient, n)));
    const value = cluster.client.result(first?.id ?? "");
    const failure = cluster.client.result(second?.id ?? "").then(null, (error: unknown) => error);
    await cluster.client.send("words-1", "yes", { wait: "1m" });
    await cluster.client.send("words-2", "no", { wait: "1m" });
    expect(await value).toBe("yes");
    expect(await failure).toMatchObject({ name: "Failure", code: "refused", details: { n: 2 } });
    const late = cluster.client.result(third?.id ?? "", { wait: "1h" }).then(null, (error: unknown) => error);
    await cluster.advance("1h");
    expect(await late).toMatchObject({ name: "SlctError", code: "not_ready" });
    await expect(cluster.client.result("patient/never")).rejects.toMatchObject({
      name: "SlctError",
      code: "not_found",
    });
  });

  test("P23 events are sent to a process, which awaits one and has a handler for others", async () => {
    const seen: string[] = [];
    const listening = process("listening", { version: 1 }, async (p) => {
      void p.go(async (p) => {
        for await (const note of p.range<string>("notes")) await p.step("note", () => void seen.push(note));
      });
      return p.recv<string>("stop");
    });
    cluster.worker({ processes: [listening] });
    const started = await cluster.client.start(listening, null);
    for (const note of ["a", "b", "c"]) await cluster.client.send("notes", note, { wait: "1m" });
    await cluster.untilQuiescent();
    await cluster.client.send("stop", "enough", { wait: "1m" });
    expect(await cluster.client.result(started)).toBe("enough");
    expect(seen).toEqual(["a", "b", "c"]);
  });

  test("P25 a process has a status, and what happens to it is listed in order", async () => {
    const status = async (id: string) => (await cluster.client.getState(id)).Status;
    const { id } = await cluster.client.start(patient, 1, { id: "1" });
    const statuses = [await status(id)];
    let stop: (() => void) | undefined;
    const busy = process("busy", { version: 1 }, (p) =>
      p.step("work", () => new Promise<void>((resolve) => (stop = resolve))),
    );
    cluster.worker({ processes: [patient, busy] });
    const { id: running } = await cluster.client.start(busy, null);
    await until(() => stop !== undefined);
    statuses.push(await status(running));
    stop?.();
    await cluster.client.result(running);
    statuses.push(await status(id));
    await cluster.client.pauseState(id);
    statuses.push(await status(id));
    await cluster.client.resumeState(id);
    await cluster.client.send("words-1", "yes", { wait: "1m" });
    await cluster.client.result(id);
    statuses.push(await status(id));
    expect(statuses).toEqual(["pending", "running", "waiting", "paused", "done"]);
    const events = (await cluster.client.listEvents({ prefix: "patient/1" })).filter(({ ID }) => ID === id);
    expect(events.map(({ Type }) => Type)).toEqual(
      ["created", "handed_out", "put_back", "paused", "resumed", "handed_out", "put_back"].map((one) => `state.${one}`),
    );
  });
});

describe("P22 a subscription", () => {
  const terms = { price: 10, trial: "7 days", cycle: "30 days", cycles: 4, credit: 20 };
  /** The customer has no money in these cycles. */
  const start = async (customer: string, poor: readonly number[]) => {
    const amounts: number[] = [];
    const pay = ({ amount }: { amount: number }) => !poor.includes(amounts.push(amount));
    cluster.worker({ processes: [subscription], activities: [implement(charge, pay)], cached: 0 });
    const started = await cluster.client.start(subscription, { customer, ...terms });
    const vars = () => cluster.client.vars(started.id);
    return { amounts, vars, result: () => cluster.client.result(started, { wait: 0 }) };
  };

  test("carries over what is overdue, and shows each cycle", async () => {
    const { amounts, vars, result } = await start("ada", [2]);
    await cluster.advance("6 days");
    expect(await vars()).toEqual({ phase: "trial" });
    await cluster.advance("1 day");
    expect(await vars()).toEqual({ phase: "subscribed", cycle: 1, amount: 10, overdue: 0, paid: 10 });
    await cluster.advance("30 days");
    expect(await vars()).toMatchObject({ cycle: 2, amount: 10, overdue: 10, paid: 10 });
    await cluster.advance("30 days");
    expect(await vars()).toMatchObject({ cycle: 3, amount: 20, overdue: 0, paid: 30 });
    await cluster.advance("60 days");
    expect(await result()).toBe("4 cycles, 40 paid");
    expect(amounts).toEqual([10, 10, 20, 10]);
  });

  test("ends when too much is owed, or the customer leaves", async () => {
    const poor = await start("bob", [1, 2, 3]);
    await cluster.advance("70 days");
    expect(await poor.result()).toBe("ended, as 30 are owed");
    await cluster.close();
    cluster = createTestCluster();
    const leaving = await start("eve", []);
    await cluster.advance("40 days");
    await cluster.client.send(unsubscribe("eve"), true, { wait: "1m" });
    await cluster.untilQuiescent();
    expect(await leaving.result()).toBe("left in cycle 2");
  });
});
