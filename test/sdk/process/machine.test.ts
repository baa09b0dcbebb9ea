/**
 * Processes as explicit state machines.
 */
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import {
  act,
  after,
  channel,
  end,
  Failure,
  goto,
  machine,
  recv,
  wait,
  type ProcessDefinition,
} from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

interface Order {
  readonly item: string;
  readonly reminders: number;
  readonly receipt?: string;
}

const paid = channel<{ amount: number }>("paid");
let charges = 0;

const order: ProcessDefinition<string, string> = machine<string, Order, string>(
  "order",
  { version: 1 },
  {
    start: (item, p) => {
      p.vars["item"] = item;
      return item === "" ? end("nothing to do") : goto("unpaid", { item, reminders: 0 });
    },
    states: {
      unpaid: wait({
        select: ({ reminders }) => ({ paid: recv(paid), late: after(reminders === 0 ? "1 day" : "2 days") }),
        on: {
          paid: (data, event) => {
            if (event.ok) expectTypeOf(event.value).toEqualTypeOf<{ amount: number }>();
            return event.ok && event.value.amount > 0 ? goto("charge", data) : end("gift");
          },
          late: (data, { at }, p) => {
            p.vars["late"] = at - p.info.startedAt;
            return data.reminders === 2 ? end("forgotten") : goto("unpaid", { ...data, reminders: data.reminders + 1 });
          },
        },
      }),
      charge: act({
        retry: { attempts: 2, first: "1s" },
        step: ({ item }, { idempotencyKey }) => {
          charges += 1;
          if (item === "broken") throw new Error("no bank");
          if (item === "refused") throw new Failure("no funds", { code: "declined" });
          return idempotencyKey;
        },
        done: (data, receipt) => end(`${data.item} ${receipt.length}`),
        failed: (data, error) => (error.code === "declined" ? end("declined") : goto("nowhere", data)),
      }),
    },
    cancelled: ({ item }, reason) => end(`${item} cancelled: ${JSON.stringify(reason)}`),
  },
);

async function start(item: string) {
  charges = 0;
  cluster.worker({ processes: [order], cached: 0 });
  const started = await cluster.client.start(order, item, { id: "1" });
  await cluster.untilQuiescent();
  return { id: started.id, result: () => cluster.client.result(started) };
}

describe("a machine", () => {
  test("goes from state to state by what happens", async () => {
    const { result } = await start("pizza");
    await cluster.client.send(paid, { amount: 30 });
    expect(await result()).toBe("pizza 36");
    expect(charges).toBe(1);
  });

  test("keeps its state and its data, and nothing else", async () => {
    const { id, result } = await start("pizza");
    await cluster.advance("4 days");
    const { Data, Selects, Vars } = await cluster.client.getState(id);
    const carry = { state: "unpaid", data: { item: "pizza", reminders: 2 } };
    expect(Data).toMatchObject({ loops: { "1": { n: 2, carry } }, journal: [{ op: "start" }] });
    expect(Selects.length).toBe(2);
    expect(Vars).toEqual({ item: "pizza", late: 3 * 86_400_000 });
    await cluster.advance("1 day");
    expect(await result()).toBe("forgotten");
  });

  test("tries what it does again, and goes on where that failed", async () => {
    const { result } = await start("refused");
    await cluster.client.send(paid, { amount: 30 });
    expect(await result()).toBe("declined");
    expect(charges).toBe(1);
  });

  test("fails by what no state takes, and by a state that is not there", async () => {
    const { result } = await start("broken");
    await cluster.client.send(paid, { amount: 30 });
    await cluster.advance("1s");
    await expect(result()).rejects.toMatchObject({ code: "no_state", message: "machine order has no state nowhere" });
    expect(charges).toBe(2);
  });

  test("may end where it begins", async () => {
    expect(await (await start("")).result()).toBe("nothing to do");
  });

  test("may end in a way of its own when it is cancelled", async () => {
    const { id, result } = await start("pizza");
    await cluster.client.cancel(id, { by: "customer" });
    expect(await result()).toBe('pizza cancelled: {"by":"customer"}');
  });

  test("fails when it is cancelled and has nothing to say to it", async () => {
    const door = machine<null, null, string>(
      "door",
      { version: 1 },
      {
        start: () => goto("closed", null),
        states: { closed: wait({ select: () => ({ open: recv("open") }), on: { open: () => end("open") } }) },
      },
    );
    cluster.worker({ processes: [door] });
    const started = await cluster.client.start(door, null);
    await cluster.client.cancel(started.id, "locked");
    await expect(cluster.client.result(started)).rejects.toMatchObject({ code: "cancelled", message: "locked" });
  });
});
