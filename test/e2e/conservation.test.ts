/**
 * 500 random operations on 20 channels by 16 clients through all nodes at once: afterwards every value is in exactly one
 * place: with the one who received it, in a buffer, or (its send being withdrawn) nowhere.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestCluster } from "./harness.js";
import { agreedHash } from "./replicas.js";
import { gauge } from "./vitals.js";

const clients = 16;
const operations = 500;
const chanCount = 20;

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.open(3);
});
afterAll(() => cluster.close());

interface Result {
  readonly Op: number;
  readonly Ok: boolean;
  readonly Case: number;
  readonly Data?: string;
}

test("every value is in exactly one place", async () => {
  const buffered = Array.from({ length: chanCount / 2 }, (_, n) => `k${n}`);
  const chans = [...buffered, ...Array.from({ length: chanCount / 2 }, (_, n) => `u${n}`)];
  for (const [n, chan] of buffered.entries())
    await cluster.call(`/channel/${chan}`, { method: "PUT", body: { Buffer: 1 + (n % 4) } });
  const sent: string[] = [];
  const received: string[] = [];
  let withdrawn = 0;
  let left = operations;

  const client = async (number: number) => {
    while (left-- > 0) {
      const node = cluster.ids[(number + left) % cluster.ids.length] ?? "";
      const pick = () => chans[Math.floor(Math.random() * chanCount)] ?? "";
      const value = `${number}-${left}`;
      const cases = [
        { Op: 2, Chan: pick(), Data: value },
        { Op: 1, Chan: pick() },
        { Op: 1, Chan: pick() },
      ];
      const some = [cases.slice(0, 1), cases.slice(1, 2), cases][Math.floor(Math.random() * 3)] ?? cases;
      const wait = Math.random() < 0.5 ? 0 : 1;
      const { status, body } = await cluster.call<Result>(`/select?wait=${wait}`, {
        method: "POST",
        body: { Cases: some },
        node,
      });
      if (status === 409) withdrawn++;
      else {
        expect(status).toBe(200);
        expect(body.Ok).toBe(true);
        if (body.Op === 2) sent.push(value);
        else received.push(body.Data ?? "");
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, n) => client(n)));

  for (const chan of buffered) {
    for (;;) {
      const { status, body } = await cluster.call<Result>(`/channel/${chan}/recv`, { method: "POST" });
      if (status === 409) break;
      received.push(body.Data ?? "");
    }
  }
  expect(sent.length + withdrawn).toBeGreaterThan(100);
  expect([...received].sort()).toEqual([...sent].sort());
  const { body } = await cluster.call<{
    Channels: { Chan: string; Values: number; Senders: number; Receivers: number }[];
  }>("/channel");
  expect(body.Channels.map(({ Chan, Values, Senders, Receivers }) => [Chan, Values, Senders, Receivers])).toEqual(
    buffered.map((chan) => [chan, 0, 0, 0]),
  );
  await agreedHash(cluster);
  // The cluster counts the same, on every node.
  for (const node of cluster.ids) {
    expect(await gauge(cluster, node, 'slct_values{at="sent"}')).toBe(sent.length);
    expect(await gauge(cluster, node, 'slct_values{at="received"}')).toBe(received.length);
    expect(await gauge(cluster, node, 'slct_values{at="buffered"}')).toBe(0);
  }
});
