/**
 * A person decides, is reminded, and replaced by another one who may decide as well.
 */
import type { Client } from "slct/client";
import { process as durable } from "slct/sdk";

export interface Request {
  readonly what: string;
  readonly people: readonly string[];
  /** How long each of them has, and how often in between there is a reminder. */
  readonly patience: string;
  readonly reminders: number;
}

export const approval = durable(
  "approval",
  { version: 1 },
  async (p, { what, people, patience, reminders }: Request) => {
    const decision = p.promise<{ by: string; yes: boolean }>();
    p.vars["what"] = what;
    p.vars["decide"] = decision.id;
    for (const person of people) {
      for (let n = 0; n <= reminders; n++) {
        const text = n === 0 ? `please decide: ${what}` : `reminder ${n}: ${what}`;
        await p.step(`tell ${person}`, () => void mails.push(`${person}: ${text}`));
        const r = await p.select({ decision, later: p.after(patience) });
        if (r.tag === "later") continue;
        if (!r.ok) return `withdrawn: ${r.error.message}`;
        return `${r.value.yes ? "approved" : "refused"} by ${r.value.by}`;
      }
    }
    return "nobody decided";
  },
);

export const mails: string[] = [];
export const processes = [approval];

export async function* demo(client: Client): AsyncGenerator<string> {
  const input = { what: "30 pizzas", people: ["ada", "bob"], patience: "2s", reminders: 1 };
  const started = await client.start(approval, input);
  // Ada says nothing; Bob is asked after four seconds, and decides when he is reminded.
  for (let after = -1; mails.length < 4;) after = (await client.getState(started.id, { after, wait: "10s" })).Version;
  const { decide } = await client.vars(started.id);
  yield* mails;
  // As anybody could with curl: POST /channel/{decide}/close {"Value": {"value": …}}
  await client.resolve(decide as string, { by: "bob", yes: true });
  yield await client.result(started);
}
