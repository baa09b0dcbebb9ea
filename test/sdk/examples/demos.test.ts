/**
 * What `npm run example …` plays, played on a test cluster: each demo comes to its end and tells what it should.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Example } from "../../../examples/run.js";
import * as agent from "../../../examples/agent.js";
import * as approval from "../../../examples/approval.js";
import * as barrier from "../../../examples/barrier.js";
import * as collecting from "../../../examples/collecting.js";
import * as cron from "../../../examples/cron.js";
import * as delivery from "../../../examples/delivery.js";
import * as http from "../../../examples/http.js";
import * as subscription from "../../../examples/subscription.js";
import * as trip from "../../../examples/trip.js";
import * as limits from "../../../examples/limits.js";
import * as payment from "../../../examples/payment.js";
import * as philosophers from "../../../examples/philosophers.js";
import * as pizza from "../../../examples/pizza.js";
import * as pool from "../../../examples/pool.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

async function play({ processes, activities = [], demo }: Example): Promise<string[]> {
  cluster.worker({ processes, activities, newsAfter: 0 });
  const lines: string[] = [];
  const told = async () => {
    for await (const line of demo(cluster.client, [])) lines.push(line);
  };
  await cluster.complete(told());
  return lines;
}

test("http", async () => {
  const lines = await play(http);
  expect(lines.map((line) => line.replace(/account\/[^/]*/, "account/x"))).toEqual([
    'POST /mail/welcome: 200 "two mails to ada@example.org"',
    "POST /account/x/add: 200 5",
    "POST /account/x/add: 200 5",
  ]);
});

test("P22 subscription", async () => {
  expect(await play(subscription)).toEqual([
    "cycle 1: 10 asked, 10 overdue, 0 paid",
    "cycle 2: 20 asked, 0 overdue, 20 paid",
    "cycle 3: 10 asked, 10 overdue, 20 paid",
    "cycle 4: 20 asked, 0 overdue, 40 paid",
    "4 cycles, 40 paid",
  ]);
});

test("F1 trip", async () => {
  expect(await play(trip)).toEqual([
    "2 nights: Have a good trip: flight to Oslo, hotel in Oslo for 2 nights",
    "  success, flight success, hotel success, hostel pending, mail success",
    "5 nights: Have a good trip: flight to Oslo, hostel in Oslo for 5 nights",
    "  success, flight success, hotel failure, hostel success, mail success",
    "30 nights: step_failed: step hostel: no room at the hostel in Oslo",
    "  failure, flight aborted, hotel failure, hostel failure, mail aborted",
    "given back: flight to Oslo",
  ]);
});

test.each<[string, Example, string[]]>([
  [
    "agent",
    agent,
    [
      "asks: book the night train",
      "asks: book the day train",
      "Done, the day train is booked.",
      "I could not: nobody answered: do without.",
    ],
  ],
  [
    "approval",
    approval,
    [
      "ada: please decide: 30 pizzas",
      "ada: reminder 1: 30 pizzas",
      "bob: please decide: 30 pizzas",
      "bob: reminder 1: 30 pizzas",
      "approved by bob",
    ],
  ],
  ["barrier", barrier, ["round 0: nobody went on before all had come", "round 1: nobody went on before all had come"]],
  ["collecting", collecting, ["index abc", "store 1 2 3", "store 4", "store 5"]],
  ["cron", cron, ["1: report", "2: report", "3: report"]],
  [
    "delivery",
    delivery,
    [
      "the courier is heard: true",
      "on the way with carl",
      "ramen brought by carl at noon, paid 17",
      "sold_out, refunded 1",
    ],
  ],
  [
    "limits",
    limits,
    ["mutex: at most 1 at once", "semaphore of 3: at most 3 at once", "rate limiter: 5 calls, half a second apart"],
  ],
  ["payment", payment, ["started: true, again: false", "receipt over 30 from ada, after 2 calls, charged 1 time"]],
  [
    "philosophers",
    philosophers,
    [...[0, 1, 2, 3, 4].map((n) => `philosopher ${n} has eaten 3 times`), "neighbours who ate at the same time: 0"],
  ],
  ["pizza", pizza, ["margherita by carla, paid", "cancelled_by_guest", "no_answer"]],
  ["pool", pool, ["all: 1 4 9 16 25 36", "done by the three: 6"]],
])("%s", async (_, example, lines) => {
  expect(await play(example)).toEqual(lines);
});
