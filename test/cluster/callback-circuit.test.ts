import { expect, it } from "vitest";
import { Circuits, type Attempt } from "../../cluster/callback-circuit.js";

const host = "h:1";

function open(): Circuits {
  return new Circuits({ inFlightMax: 16, firstMs: 100, maxMs: 5000, factor: 2, random: () => 1 - Number.EPSILON });
}

function start(circuits: Circuits, calls: number): Attempt[] {
  return Array.from({ length: calls }, () => circuits.started(host));
}

it("pauses once for all calls that were under way together", () => {
  const circuits = open();
  for (const attempt of start(circuits, 16)) circuits.ended(attempt, false, 1000);
  expect(Math.round(circuits.blockedMs(host, 1000))).toBe(100);
  expect(circuits.blockedMs(host, 1100)).toBe(0);
});

it("pauses longer only after a try that failed, up to a bound", () => {
  const circuits = open();
  for (const attempt of start(circuits, 5)) circuits.ended(attempt, false, 0);
  const pauses: number[] = [];
  for (let nowMs = 0, n = 0; n < 8; n++) {
    pauses.push(Math.round(circuits.blockedMs(host, nowMs)));
    nowMs += circuits.blockedMs(host, nowMs);
    expect(circuits.hasRoom(host)).toBe(true);
    const attempt = circuits.started(host);
    expect(circuits.hasRoom(host)).toBe(false);
    circuits.ended(attempt, false, nowMs);
  }
  expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
});

it("a late failure of a call from before the pause changes nothing, a late success ends the pause", () => {
  const circuits = open();
  const [late, later, ...others] = start(circuits, 7) as [Attempt, Attempt, ...Attempt[]];
  for (const attempt of others) circuits.ended(attempt, false, 0);
  circuits.ended(late, false, 90);
  expect(Math.round(circuits.blockedMs(host, 90))).toBe(10);
  circuits.ended(later, true, 95);
  expect(circuits.blockedMs(host, 95)).toBe(0);
  expect(start(circuits, 16)).toHaveLength(16);
});

it("counts failures in a row only", () => {
  const circuits = open();
  for (let n = 0; n < 20; n++) {
    const [attempt] = start(circuits, 1) as [Attempt];
    circuits.ended(attempt, n % 5 === 4, n);
  }
  expect(circuits.blockedMs(host, 20)).toBe(0);
});
