/**
 * The processes of sdk.test.ts, for the test that starts them and for the workers that run them.
 */
import { process } from "../../sdk/sdk.js";

/** Answers `POST <shop>/<what>?key=<idempotency key>` with the number of the booking. */
export type Shop = string;

export const parcel = process("e2e-parcel", { version: 1 }, async (p, weight: number) => {
  await p.sleep("300ms");
  return weight * 2;
});

export const order = process("e2e-order", { version: 1 }, async (p, { shop, n }: { shop: Shop; n: number }) => {
  const book = (what: string) =>
    p.step(what, ({ idempotencyKey, signal }) => post(`${shop}/${what}-${n}?key=${idempotencyKey}`, signal), {
      retry: { first: "100ms" },
      timeout: "5s",
    });
  await book("reserve");
  const parcels = p.call(parcel, n);
  const paid = await p.recv<number>(`e2e-paid-${n}`);
  await book("ship");
  const rounds = await p.loop(0, async (round, p) => {
    await p.sleep("100ms");
    return round === 5 ? p.done(round) : round + 1;
  });
  return { paid, weight: await parcels, rounds };
});

async function post(url: string, signal: AbortSignal): Promise<number> {
  const response = await fetch(url, { method: "POST", signal });
  if (!response.ok) throw new Error(`the shop answered ${response.status}`);
  return Number(await response.text());
}
