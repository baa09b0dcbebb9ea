/**
 * A barrier: nobody goes on before all have come. And again, round after round.
 */
import type { Client } from "slct/client";
import { process as durable } from "slct/sdk";

export interface Meeting {
  readonly name: string;
  readonly parties: number;
  readonly rounds: number;
}

/** Counts who comes; when all are there, it closes the gate of this round: a closed channel lets everybody through. */
export const barrier = durable("barrier", { version: 1 }, (p, { name, parties, rounds }: Meeting) =>
  p.loop({ round: 0, here: 0 }, async ({ round, here }, p) => {
    if (round === rounds) return p.done();
    await p.recv(`${name}-arrive`);
    if (here + 1 < parties) return { round, here: here + 1 };
    p.close(`${name}-gate-${round}`, round);
    return { round: round + 1, here: 0 };
  }),
);

export const party = durable("party", { version: 1 }, async (p, { name, rounds, pace }: Meeting & { pace: string }) => {
  for (let round = 0; round < rounds; round++) {
    await p.sleep(pace);
    await p.step("arrive", () => void seen.push(`arrives in ${round}`));
    await p.send(`${name}-arrive`, p.info.key);
    // Closed for good: it does not matter who waits already.
    await p.select({ open: p.recv(`${name}-gate-${round}`) });
    await p.step("go on", () => void seen.push(`goes on from ${round}`));
  }
});

export const seen: string[] = [];
export const processes = [barrier, party];

export async function* demo(client: Client): AsyncGenerator<string> {
  const name = `barrier-${crypto.randomUUID().slice(0, 8)}`;
  const meeting = { name, parties: 3, rounds: 2 };
  const gate = await client.start(barrier, meeting);
  const paces = ["100ms", "500ms", "1s"];
  const parties = await Promise.all(paces.map((pace) => client.start(party, { ...meeting, pace })));
  for (const one of [gate, ...parties]) await client.result(one);
  for (const round of [0, 1]) {
    const last = seen.lastIndexOf(`arrives in ${round}`);
    const first = seen.indexOf(`goes on from ${round}`);
    yield `round ${round}: ${first > last ? "nobody went on before all had come" : "somebody went on too early"}`;
  }
}
