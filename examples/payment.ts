/**
 * A payment that is made once, whatever dies: the bank deduplicates by an ID that is the same at every attempt.
 */
import type { Client } from "slct/client";
import { Failure, process as durable } from "slct/sdk";

export interface Payment {
  readonly account: string;
  readonly amount: number;
}

export const payment = durable("payment", { version: 1 }, async (p, { account, amount }: Payment) => {
  // Stable over retries and replays, so it may go to systems that know nothing of this one.
  const reference = p.uuid();
  const receipt = await p.step("charge", () => bank.charge(reference, account, amount), {
    retry: { attempts: 5, first: "1s" },
  });
  await p.step("mail", ({ idempotencyKey }) => bank.mail(idempotencyKey, receipt));
  return { reference, receipt };
});

/** Outside: does a charge once for each reference, and answers every second time only. */
class Bank {
  readonly charges = new Map<string, string>();
  readonly mails = new Map<string, string>();
  calls = 0;

  charge(reference: string, account: string, amount: number): string {
    if (amount <= 0) throw new Failure("nothing to pay", { code: "no_amount" });
    this.charges.set(reference, `${amount} from ${account}`);
    this.calls += 1;
    if (this.calls % 2 === 1) throw new Error("the answer was lost");
    return `receipt over ${this.charges.get(reference)}`;
  }

  mail(key: string, text: string): void {
    this.mails.set(key, text);
  }
}

export const bank = new Bank();
export const processes = [payment];

export async function* demo(client: Client): AsyncGenerator<string> {
  // The key makes the request idempotent: whoever sends it twice pays once.
  const id = crypto.randomUUID();
  const [first, again] = [
    await client.start(payment, { account: "ada", amount: 30 }, { id }),
    await client.start(payment, { account: "ada", amount: 30 }, { id }),
  ];
  yield `started: ${first.created}, again: ${again.created}`;
  const { receipt } = await client.result(first);
  yield `${receipt}, after ${bank.calls} calls, charged ${bank.charges.size} time`;
}
