/**
 * Debounce, and batches: "when nothing came for 2 s", "100 of them or what came within 5 s".
 */
import { durationMs, type Client } from "slct/client";
import { process as durable } from "slct/sdk";

/** Indexes a document when nobody has changed it for `quiet`. */
export const debounce = durable(
  "debounce",
  { version: 1 },
  async (p, { changes, quiet }: { changes: string; quiet: string }) => {
    await p.loop<string | null>(null, async (latest, p) => {
      const r = await p.select({
        change: p.recv<string>(changes),
        quiet: latest === null ? p.recv(null) : p.after(quiet),
      });
      if (r.tag === "change") return r.ok ? r.value : p.done();
      await p.step("index", () => void outside.push(`index ${latest ?? ""}`));
      return null;
    });
  },
);

export interface Batching {
  readonly items: string;
  readonly size: number;
  /** Of its first item. */
  readonly age: string;
}

interface Batch {
  readonly items: readonly number[];
  /** Log time, unix ms. */
  readonly begun: number;
}

/** Stores items in batches; what is under way is in `Data`, and lost by nobody's death. */
export const batches = durable("batches", { version: 1 }, async (p, { items, size, age }: Batching) => {
  await p.loop<Batch>({ items: [], begun: 0 }, async (batch, p) => {
    const r = await p.select({
      item: p.recv<number>(items),
      // A duration counts from when it is asked for; this one must not begin anew with every item.
      old: batch.items.length === 0 ? p.recv(null) : p.at(batch.begun + durationMs(age)),
    });
    const all = r.tag === "item" && r.ok ? [...batch.items, r.value] : batch.items;
    const isOver = r.tag === "item" && !r.ok;
    if (r.tag === "item" && r.ok && all.length < size) {
      return { items: all, begun: batch.items.length === 0 ? p.now() : batch.begun };
    }
    if (all.length > 0) await p.step("store", () => void outside.push(`store ${all.join(" ")}`));
    return isOver ? p.done() : { items: [], begun: 0 };
  });
});

export const outside: string[] = [];
export const processes = [debounce, batches];

export async function* demo(client: Client): AsyncGenerator<string> {
  const run = crypto.randomUUID().slice(0, 8);
  const changes = `changes-${run}`;
  const indexing = await client.start(debounce, { changes, quiet: "1s" });
  for (const text of ["a", "ab", "abc"]) await client.send(changes, text, { wait: "10s" });
  await done(client, indexing.id, 1);
  yield* outside.splice(0);
  await client.closeChannel(changes);
  await client.result(indexing);

  const items = `items-${run}`;
  const storing = await client.start(batches, { items, size: 3, age: "2s" });
  for (const n of [1, 2, 3, 4]) await client.send(items, n, { wait: "10s" });
  await done(client, storing.id, 2);
  await client.send(items, 5, { wait: "10s" });
  await client.closeChannel(items);
  await client.result(storing);
  yield* outside.splice(0);
}

/** Waits until so many things were done outside, by this process. */
async function done(client: Client, id: string, count: number): Promise<void> {
  for (let after = -1; outside.length < count;) after = (await client.getState(id, { after, wait: "10s" })).Version;
}
