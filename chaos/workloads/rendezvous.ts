/** Values through unbuffered channels: what was sent was received exactly once, and the other way round. */
import { ChaosClient, type Target } from "../client.js";
import { loops, wrong, type Violation, type Workload } from "../workload.js";

const chans = 2;
const waitSeconds = 2;
const pairs = 3;
const paceMs = 25;

export function rendezvous(target: Target): Workload {
  const sent = new Set<string>();
  const received: string[] = [];
  const found: Violation[] = [];
  let withdrawn = 0;
  const clients = Array.from({ length: 2 * pairs }, (_, n) => new ChaosClient(target, "meet", n));
  const running = loops(2 * pairs, paceMs, async (worker, round) => {
    const client = clients[worker] as ChaosClient;
    const path = `/channel/meet-${Math.floor(Math.random() * chans)}`;
    const value = `${worker}-${round}`;
    const reply =
      worker % 2 === 0
        ? await client.call("POST", `${path}/send?wait=${waitSeconds}`, { body: { Data: value }, waitSeconds })
        : await client.call("POST", `${path}/recv?wait=${waitSeconds}`, { waitSeconds });
    if (reply.status === 409) withdrawn++;
    else if (reply.status !== 200) found.push(wrong("rendezvous", reply));
    else if (worker % 2 === 0) sent.add(value);
    else received.push((reply.body as { Data: string }).Data);
  });
  return {
    name: "rendezvous",
    stop: () => running.stop(),
    counts: () => ({ sent: sent.size, received: received.length, withdrawn }),
    async violations() {
      const { body } = await (clients[0] as ChaosClient).call("GET", "/channel?prefix=meet-");
      const left = (body as { Channels: unknown[] }).Channels;
      return [...found, ...checkRendezvous(sent, received, left)];
    },
  };
}

/** @param left what is on the channels when nobody uses them any more */
export function checkRendezvous(
  sent: ReadonlySet<string>,
  received: readonly string[],
  left: readonly unknown[],
): Violation[] {
  const found: Violation[] = [];
  const once = new Set<string>();
  for (const value of received) {
    if (once.has(value)) found.push({ kind: "duplicated", what: `${value} was received again` });
    if (!sent.has(value))
      found.push({ kind: "phantom", what: `${value} was received and its send was not acknowledged` });
    once.add(value);
  }
  for (const value of sent)
    if (!once.has(value)) found.push({ kind: "lost", what: `${value} was sent and never received` });
  if (left.length > 0) found.push({ kind: "phantom", what: `left on channels: ${JSON.stringify(left)}` });
  return found;
}
