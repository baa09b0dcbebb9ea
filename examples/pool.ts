/**
 * A pool of workers behind a channel: whoever is free takes the next job. And the answers of many, gathered until a deadline.
 */
import type { Client } from "slct/client";
import { process as durable } from "slct/sdk";

interface Job {
  readonly n: number;
  readonly answers: string;
}

/** One of the pool. The value is in its state before it sees it: a job is lost by nobody's death. */
export const member = durable("pool-member", { version: 1 }, (p, jobs: string) =>
  p.loop(0, async (done, p) => {
    const r = await p.select({ job: p.recv<Job>(jobs) });
    if (!r.ok) return p.done(done);
    const { n, answers } = r.value;
    const square = await p.step("work", () => n * n);
    await p.sleep("1s");
    await p.send(answers, square);
    return done + 1;
  }),
);

/** Gives jobs out and takes answers, both at once, until all are there or the time is over. */
export const gather = durable(
  "gather",
  { version: 1 },
  async (p, { jobs, count, withinMs }: { jobs: string; count: number; withinMs: number }) => {
    const answers = p.chan<number>();
    void p.go(async (p) => {
      for (let n = 1; n <= count; n++) await p.send<Job>(jobs, { n, answers: answers.name });
    });
    const late = p.now() + withinMs;
    const squares: number[] = [];
    while (squares.length < count) {
      const r = await p.select({ answer: p.recv(answers), late: p.at(late) });
      if (r.tag === "late" || !r.ok) break;
      squares.push(r.value);
    }
    return squares.sort((a, b) => a - b);
  },
);

export const processes = [member, gather];

export async function* demo(client: Client): AsyncGenerator<string> {
  const jobs = `jobs-${crypto.randomUUID().slice(0, 8)}`;
  const members = await Promise.all([1, 2, 3].map(() => client.start(member, jobs)));
  const all = await client.start(gather, { jobs, count: 6, withinMs: 60_000 });
  yield `all: ${(await client.result(all)).join(" ")}`;
  // Nobody works any more.
  await client.closeChannel(jobs);
  const done = await Promise.all(members.map((one) => client.result(one)));
  yield `done by the three: ${done.reduce((sum, n) => sum + n, 0)}`;
}
