/**
 * A meal is ordered, accepted by a restaurant, picked up and brought by a courier: people on phones, who take their time.
 *
 * Each human step is an activity whose end comes later, by its token: while it is waited for nothing runs and nobody polls.
 */
import type { Client } from "slct/client";
import { activity, Failure, implement, process as durable } from "slct/sdk";

interface Meal {
  readonly id: string;
  readonly dish: string;
  readonly total: number;
}

const accept = activity<Meal, { minutes: number }>("restaurant", "accept", { timeout: "10m" });
const pickUp = activity<Meal, { courier: string }>("courier", "pick-up", { timeout: "30m" });
// A courier who drives tells where he is; one who is silent for long is not coming.
const bring = activity<Meal & { courier: string }, { at: string }>("courier", "bring", {
  heartbeat: "10m",
  timeout: "2h",
});

export const order = durable("meal", { version: 1 }, async (p, meal: Meal) => {
  const charge = await p.step("charge", ({ idempotencyKey }) => `${idempotencyKey.slice(0, 8)}: ${meal.total}`);
  p.defer(async () => void (await p.step("refund", () => void refunds.push(meal.id))));
  p.vars["status"] = "waits for the restaurant";
  const accepted = await p.select({ accepted: p.call(accept, meal), cancelled: p.recv(`cancel-${meal.id}`) });
  if (accepted.tag === "cancelled") throw new Failure("cancelled by the guest", { code: "cancelled_by_guest" });
  if (!accepted.ok) throw accepted.error;
  p.vars["status"] = `in the kitchen for ${accepted.value.minutes} minutes`;
  const { courier } = await p.call(pickUp, meal);
  p.vars["status"] = `on the way with ${courier}`;
  const { at } = await p.call(bring, { ...meal, courier });
  p.vars["status"] = "eaten";
  return `${meal.dish} brought by ${courier} at ${at}, paid ${charge.slice(10)}`;
});

/** What the phones of all these people show: a task and its token. */
export const phones = new Map<string, string>();
export const refunds: string[] = [];

export const activities = [
  implement(accept, ({ id }, a) => (phones.set(`accept ${id}`, a.token), a.pending())),
  implement(pickUp, ({ id }, a) => (phones.set(`pick-up ${id}`, a.token), a.pending())),
  implement(bring, ({ id }, a) => (phones.set(`bring ${id}`, a.token), a.pending())),
];
export const processes = [order];

export async function* demo(client: Client): AsyncGenerator<string> {
  const id = crypto.randomUUID().slice(0, 8);
  const started = await client.start(order, { id, dish: "ramen", total: 17 }, { id });
  const say = async (task: string, value: object) => client.resolve(await token(client, `${task} ${id}`), value);
  await say("accept", { minutes: 20 });
  await say("pick-up", { courier: "carl" });
  const driving = await token(client, `bring ${id}`);
  yield `the courier is heard: ${await client.heartbeat(driving, { lat: 52.5, lon: 13.4 })}`;
  yield (await client.vars(started.id))["status"] as string;
  await client.resolve(driving, { at: "noon" });
  yield await client.result(started);

  const other = await client.start(order, { id: `${id}-2`, dish: "soup", total: 9 }, { id: `${id}-2` });
  await client.reject(await token(client, `accept ${id}-2`), new Failure("sold out", { code: "sold_out" }));
  yield await client.result(other).then(null, ({ code }: Failure) => `${code}, refunded ${refunds.length}`);
}

/** Until the phone shows it. */
async function token(client: Client, task: string): Promise<string> {
  for (let after = client.index; ; after = client.index) {
    const known = phones.get(task);
    if (known !== undefined) return known;
    await client.listEvents({ after, wait: "1s" });
  }
}
