/**
 * An order that waits for its payment: charged once, reminded of, undone when it cannot be shipped.
 */
import { channel, Failure, process } from "slct/sdk";

export interface Order {
  readonly id: string;
  readonly total: number;
}

export const paid = (id: string) => channel<{ amount: number }>(`paid-${id}`);

export const order = process("order", { version: 1 }, async (p, { id, total }: Order) => {
  const r = await p.select({ paid: p.recv(paid(id)), cancelled: p.recv(`cancel-${id}`), late: p.after("1 day") });
  if (r.tag !== "paid" || !r.ok) return `order ${id}: ${r.tag}`;
  const receipt = await p.step("charge", ({ idempotencyKey }) => charge(idempotencyKey, r.value.amount));
  p.defer(async () => void (await p.step("refund", () => `${receipt} refunded`)));
  if (r.value.amount < total) throw new Failure("not enough", { code: "underpaid", details: { total } });
  await p.sleep("2 hours");
  return `order ${id}: shipped, ${receipt}`;
});

/** What a bank would do: the same answer for the same key. */
async function charge(key: string, amount: number): Promise<string> {
  return Promise.resolve(`receipt ${key.slice(0, 8)} over ${amount}`);
}
