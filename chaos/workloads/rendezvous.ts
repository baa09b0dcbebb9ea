/** Values through unbuffered channels: what was sent was received exactly once, and the other way round. */
import { ChaosClient, type Target } from "../client.js";
import { loops, wrong, type Violation, type Workload } from "../workload.js";

const chans = 2;
const waitSeconds = 2;
/** A sender and a receiver each, of one channel. */
const pairs = 3;
const paceMs = 25;

interface Meeting {
  readonly path: string;
  /** The Request-Id. */
  readonly id: string;
  /** Absent: it receives. */
  readonly value?: string;
}

export function rendezvous(target: Target): Workload {
  const sent = new Set<string>();
  const received: string[] = [];
  const found: Violation[] = [];
  /** Under the same Request-Id until it has a partner; by client, what has none when the run ends. */
  const open = new Map<number, Meeting>();
  let withdrawn = 0;
  let stopping = false;
  const clients = Array.from({ length: 2 * pairs }, (_, n) => new ChaosClient(target, "meet", n));
  const attempt = async (worker: number, meeting: Meeting, wait: number): Promise<boolean> => {
    const { path, id, value } = meeting;
    const sends = value !== undefined;
    const request = { headers: { "request-id": id }, waitSeconds: wait, ...(sends ? { body: { Data: value } } : {}) };
    const reply = await (clients[worker] as ChaosClient).call("POST", `${path}?wait=${wait}`, request);
    if (reply.status === 409) return false;
    if (reply.status !== 200) found.push(wrong("rendezvous", reply));
    else if (sends) sent.add(value);
    else received.push((reply.body as { Data: string }).Data);
    return true;
  };
  const running = loops(2 * pairs, paceMs, async (worker, round) => {
    const chan = `/channel/meet-${Math.floor(worker / 2) % chans}`;
    const id = `meet-${worker}-${round}`;
    const sends = worker % 2 === 0;
    const meeting = {
      id,
      path: `${chan}/${sends ? "send" : "recv"}`,
      ...(sends ? { value: `${worker}-${round}` } : {}),
    };
    open.set(worker, meeting);
    while (!(await attempt(worker, meeting, waitSeconds))) {
      withdrawn++;
      if (stopping) return;
    }
    open.delete(worker);
  });
  return {
    name: "rendezvous",
    async stop() {
      stopping = true;
      await running.stop();
    },
    counts: () => ({ sent: sent.size, received: received.length, withdrawn }),
    async violations() {
      // An early try may have come in late, and met somebody.
      for (const [worker, meeting] of open) await attempt(worker, meeting, 0);
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
