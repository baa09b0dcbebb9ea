/**
 * Mutex, semaphore and rate limiter, over all processes and machines: each is a buffered channel.
 *
 * A place in the buffer is the right to go on. Who waits for one waits in the order of coming, as Go has it; a process that
 * dies goes on elsewhere, and gives its place back there.
 */
import type { Client } from "slct/client";
import { process as durable, type ProcessContext } from "slct/sdk";

/** At most `places` processes are in `body` at once; one place is a mutex. */
export async function holding<T>(p: ProcessContext, name: string, places: number, body: () => Promise<T>): Promise<T> {
  p.make(name, places);
  await p.send(name, p.info.id);
  try {
    return await body();
  } finally {
    await p.recv(name);
  }
}

export interface Work {
  readonly lock: string;
  readonly places: number;
}

export const careful = durable("careful", { version: 1 }, (p, { lock, places }: Work) =>
  holding(p, lock, places, async () => {
    await p.step("enter", () => void seen.enter());
    await p.sleep("1s");
    await p.step("leave", () => void seen.leave());
  }),
);

/** One token each `every`, `burst` of them at most: who wants to do something receives one. */
export const limiter = durable(
  "limiter",
  { version: 1 },
  async (p, { tokens, every, burst }: { tokens: string; every: string; burst: number }) => {
    p.make(tokens, burst);
    await p.loop(0, async (n, p) => {
      await p.send(tokens, n);
      await p.sleep(every);
      return n + 1;
    });
  },
);

export const caller = durable("caller", { version: 1 }, async (p, tokens: string) => {
  await p.recv(tokens);
  return p.now();
});

/** Outside: how many are there at once. */
export const seen = {
  inside: 0,
  most: 0,
  enter(): void {
    this.inside += 1;
    this.most = Math.max(this.most, this.inside);
  },
  leave(): void {
    this.inside -= 1;
  },
};

export const processes = [careful, limiter, caller];

export async function* demo(client: Client): AsyncGenerator<string> {
  const run = crypto.randomUUID().slice(0, 8);
  for (const places of [1, 3]) {
    seen.most = 0;
    const work = { lock: `lock-${run}-${places}`, places };
    const all = await Promise.all(Array.from({ length: 6 }, () => client.start(careful, work)));
    await Promise.all(all.map((one) => client.result(one)));
    yield `${places === 1 ? "mutex" : "semaphore of 3"}: at most ${seen.most} at once`;
  }
  const tokens = `tokens-${run}`;
  const limit = await client.start(limiter, { tokens, every: "500ms", burst: 2 });
  const calls = await Promise.all(Array.from({ length: 5 }, () => client.start(caller, tokens)));
  const times = (await Promise.all(calls.map((one) => client.result(one)))).sort((a, b) => a - b);
  await client.cancel(limit.id);
  const isPaced = times.every((at, n) => n === 0 || at - (times[n - 1] ?? 0) >= 500);
  yield `rate limiter: ${times.length} calls, ${isPaced ? "half a second apart" : "too close"}`;
}
