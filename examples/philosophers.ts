/**
 * Dining philosophers: five processes, five forks, each fork a channel with one place. Nobody starves, nothing deadlocks.
 *
 * Each takes the fork with the lower number first, so there is no circle of those who wait. `GET /state?chan=fork-…` shows
 * who waits for which fork.
 */
import type { Client } from "slct/client";
import { process as durable } from "slct/sdk";

interface Seat {
  readonly table: string;
  readonly seat: number;
  readonly seats: number;
  readonly meals: number;
}

export const philosopher = durable("philosopher", { version: 1 }, async (p, { table, seat, seats, meals }: Seat) => {
  const forks = [seat, (seat + 1) % seats].sort((a, b) => a - b).map((fork) => `fork-${table}-${fork}`);
  for (const fork of forks) p.make(fork, 1);
  return p.loop<number, string>(0, async (eaten, p) => {
    if (eaten === meals) return p.done(`philosopher ${seat} has eaten ${eaten} times`);
    p.vars["doing"] = "thinking";
    await p.sleep(100 + p.random() * 100);
    p.vars["doing"] = "hungry";
    for (const fork of forks) await p.send(fork, seat);
    p.vars["doing"] = "eating";
    await p.step("eat", () => table_.sit(seat, seats));
    await p.sleep("100ms");
    await p.step("rise", () => table_.rise(seat));
    for (const fork of forks) await p.recv(fork);
    return eaten + 1;
  });
});

/** Outside: notices neighbours who eat at the same time. */
const table_ = {
  eating: new Set<number>(),
  quarrels: 0,
  sit(seat: number, seats: number): void {
    if (this.eating.has((seat + 1) % seats) || this.eating.has((seat + seats - 1) % seats)) this.quarrels += 1;
    this.eating.add(seat);
  },
  rise(seat: number): void {
    this.eating.delete(seat);
  },
};

export const processes = [philosopher];

export async function* demo(client: Client): AsyncGenerator<string> {
  const table = crypto.randomUUID().slice(0, 8);
  const seats = [0, 1, 2, 3, 4];
  const all = await Promise.all(
    seats.map((seat) => client.start(philosopher, { table, seat, seats: seats.length, meals: 3 })),
  );
  for (const one of all) yield await client.result(one);
  yield `neighbours who ate at the same time: ${table_.quarrels}`;
}
