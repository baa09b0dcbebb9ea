/**
 * What `npm run example …` plays, played on a test cluster: each demo comes to its end and tells what it should.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Example } from "../../../examples/run.js";
import * as http from "../../../examples/http.js";
import * as trip from "../../../examples/trip.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

let cluster: TestCluster;
beforeEach(() => {
  cluster = createTestCluster();
});
afterEach(() => cluster.close());

/** Seconds of virtual time in which a demo ends. */
const secondsMax = 100_000;

async function play({ processes, activities = [], demo }: Example): Promise<string[]> {
  cluster.worker({ processes, activities, newsAfter: 0 });
  const lines: string[] = [];
  let isOver = false;
  const told = (async () => {
    for await (const line of demo(cluster.client)) lines.push(line);
  })().finally(() => (isOver = true));
  for (let n = 0; !isOver && n < secondsMax; n++) await cluster.advance("1s");
  await told;
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
