/**
 * A subscription: a trial, then cycle after cycle; what could not be charged is carried over to the next one.
 */
import type { Client, Duration } from "slct/client";
import { activity, implement, process, type ProcessContext } from "slct/sdk";

export interface Terms {
  readonly customer: string;
  readonly price: number;
  readonly trial: Duration;
  readonly cycle: Duration;
  readonly cycles: number;
  /** Who owes more than this is no customer any more. */
  readonly credit: number;
}

interface Cycle {
  readonly number: number;
  readonly overdue: number;
  readonly paid: number;
}

export const charge = activity<{ customer: string; amount: number }, boolean>("billing", "charge", { timeout: "1m" });

export const unsubscribe = (customer: string) => `unsubscribe-${customer}`;

export const subscription = process("subscription", { version: 1 }, async (p, terms: Terms) => {
  p.vars["phase"] = "trial";
  if (await leaves(p, terms.customer, terms.trial)) return "left in the trial";
  p.vars["phase"] = "subscribed";
  return p.loop<Cycle, string>({ number: 1, overdue: 0, paid: 0 }, async ({ number, overdue, paid }, p) => {
    const amount = terms.price + overdue;
    const isPaid = await p.call(charge, { customer: terms.customer, amount });
    const next: Cycle = { number: number + 1, overdue: isPaid ? 0 : amount, paid: paid + (isPaid ? amount : 0) };
    Object.assign(p.vars, { cycle: number, amount, overdue: next.overdue, paid: next.paid });
    if (next.overdue > terms.credit) return p.done(`ended, as ${next.overdue} are owed`);
    if (await leaves(p, terms.customer, terms.cycle)) return p.done(`left in cycle ${number}`);
    return number === terms.cycles ? p.done(`${number} cycles, ${next.paid} paid`) : next;
  });
});

/** Waits for the end of a period. True if the customer leaves before. */
async function leaves(p: ProcessContext, customer: string, period: Duration): Promise<boolean> {
  const r = await p.select({ over: p.after(period), left: p.recv(unsubscribe(customer)) });
  return r.tag === "left";
}

export const processes = [subscription];

/** The bank has no money of customers whose name has an x in the months in which they owe nothing. */
export const activities = [implement(charge, ({ customer, amount }) => !customer.includes("x") || amount > 10)];

export async function* demo(client: Client): AsyncGenerator<string> {
  const terms = { price: 10, trial: "1s", cycle: "2s", cycles: 4, credit: 20 };
  const { id } = await client.start(subscription, { customer: "max", ...terms });
  let shown: number | undefined;
  for (let after = 0; ;) {
    const { Version, Status, Vars } = await client.getState(id, { after, wait: "1m" });
    const { cycle, amount, overdue, paid } = (Vars ?? {}) as { readonly [name: string]: number };
    if (cycle !== shown) yield `cycle ${cycle}: ${amount} asked, ${overdue} overdue, ${paid} paid`;
    [shown, after] = [cycle, Version];
    if (Status === "done") break;
  }
  yield await client.result<string>(id);
}
