/** A select that two senders meet at once: exactly one of them, and the state has its value. */
import { ChaosClient, type Reply, type Target } from "../client.js";
import { loops, statePath, wrong, type Violation, type Workload } from "../workload.js";

interface Raced {
  readonly Selects: readonly {
    readonly Result?: { readonly Case: number; readonly Data?: string; readonly Op: number };
  }[];
}

/** One race as it ended. */
export interface Race {
  readonly id: string;
  /** Which sends were acknowledged. */
  readonly sent: readonly [boolean, boolean];
  /** The case that fired and the value it brought; undefined: none. */
  readonly fired: { readonly case: number; readonly data: string } | undefined;
}

const workers = 2;
const paceMs = 60;
const waitSeconds = 2;

export function race(target: Target): Workload {
  const clients = Array.from({ length: 2 * workers }, (_, n) => new ChaosClient(target, "race", n));
  const races: Race[] = [];
  const found: Violation[] = [];
  const running = loops(workers, paceMs, async (worker, round) => {
    const id = `race/${worker}/${round}`;
    const [client, other] = [clients[2 * worker], clients[2 * worker + 1]] as [ChaosClient, ChaosClient];
    const Cases = [0, 1].map((arm) => ({ Op: 1, Chan: `${id}/${arm}` }));
    await client.call("PUT", statePath(id), { body: { Selects: [{ ID: "1", Cases }] } });
    const send = async (one: ChaosClient, arm: number) => {
      const path = `/channel/${encodeURIComponent(`${id}/${arm}`)}/send?wait=${waitSeconds}`;
      const reply = await one.call("POST", path, { body: { Data: `${id} ${arm}` }, waitSeconds });
      if (reply.status !== 200 && reply.status !== 409) found.push(wrong(`send to ${id}`, reply));
      return reply.status === 200;
    };
    const sent = await Promise.all([send(client, 0), send(other, 1)]);
    const { body }: Reply = await client.call("GET", statePath(id));
    const result = (body as Raced).Selects[0]?.Result;
    races.push({ id, sent, fired: result === undefined ? undefined : { case: result.Case, data: result.Data ?? "" } });
    await client.call("DELETE", statePath(id, "?force=true"));
  });
  return {
    name: "race",
    stop: () => running.stop(),
    counts: () => ({ races: races.length, decided: races.filter(({ fired }) => fired !== undefined).length }),
    violations: () => Promise.resolve([...found, ...races.flatMap(checkRace)]),
  };
}

export function checkRace({ id, sent, fired }: Race): Violation[] {
  const winners = sent.filter((one) => one).length;
  if (winners > 1) return [{ kind: "duplicated", what: `both sends of ${id} were acknowledged` }];
  if (fired === undefined)
    return winners === 0 ? [] : [{ kind: "lost", what: `a send to ${id} is acknowledged and did not fire` }];
  if (sent[fired.case] !== true)
    return [{ kind: "phantom", what: `case ${fired.case} of ${id} fired without an acknowledged send` }];
  return fired.data === `${id} ${fired.case}`
    ? []
    : [{ kind: "wrong", what: `${id} got ${fired.data} by case ${fired.case}` }];
}
