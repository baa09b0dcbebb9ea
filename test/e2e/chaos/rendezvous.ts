/** Values through channels: what was sent was received exactly once, and the other way round. */
import { ChaosClient } from "./client.js";
import { loops, type Workload } from "./workload.js";

const chans = 2;
const waitSeconds = 2;

export function rendezvous(nodes: readonly string[], pairs: number): Workload {
  const sent = new Set<string>();
  const received = new Map<string, number>();
  const wrong: string[] = [];
  let withdrawn = 0;
  const clients = Array.from({ length: 2 * pairs }, (_, n) => new ChaosClient(nodes, `meet-${n}`, n));
  const running = loops(2 * pairs, async (worker, round) => {
    const client = clients[worker] as ChaosClient;
    const chan = `meet-${Math.floor(Math.random() * chans)}`;
    if (worker % 2 === 0) {
      const value = `${worker}-${round}`;
      const { status, body } = await client.call(
        "POST",
        `/channel/${chan}/send?wait=${waitSeconds}`,
        { Data: value },
        waitSeconds,
      );
      if (status === 200) sent.add(value);
      else if (status === 409) withdrawn++;
      else wrong.push(`send: ${status} ${JSON.stringify(body)}`);
      return;
    }
    const { status, body } = await client.call(
      "POST",
      `/channel/${chan}/recv?wait=${waitSeconds}`,
      undefined,
      waitSeconds,
    );
    if (status === 200) {
      const value = (body as { Data: string }).Data;
      received.set(value, (received.get(value) ?? 0) + 1);
    } else if (status === 409) withdrawn++;
    else wrong.push(`recv: ${status} ${JSON.stringify(body)}`);
  });
  return {
    name: "rendezvous",
    stop: () => running.stop(),
    counts: () => ({ sent: sent.size, received: received.size, withdrawn }),
    async violations() {
      for (const value of sent) if (!received.has(value)) wrong.push(`${value} was sent and never received`);
      for (const [value, times] of received) {
        if (!sent.has(value)) wrong.push(`${value} was received and its send was not acknowledged`);
        if (times > 1) wrong.push(`${value} was received ${times} times`);
      }
      const { body } = await (clients[0] as ChaosClient).call("GET", "/channel?prefix=meet-");
      const left = (body as { Channels: unknown[] }).Channels;
      if (left.length > 0) wrong.push(`left on channels: ${JSON.stringify(left)}`);
      return wrong;
    },
  };
}
