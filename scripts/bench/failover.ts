/**
 * The leader killed under full load, again and again: for how long nothing was acknowledged, and whether all that was
 * acknowledged is still there.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Answer, Connection } from "./connection.js";
import type { Found } from "./figure.js";
import { longestGap, summarize } from "./latency.js";
import type { SlctCluster } from "./slct.js";
import { expectAnswer, freshPrefix, textOf } from "./workload.js";

/** From the kill on: an outage is longer than any gap between two acknowledgements before. */
const watchMs = 4000;
const settleMs = 1000;
const retryMs = 10;
const retryMsMax = 30_000;
const pageStates = 1000;

export async function failover(cluster: SlctCluster, kills: number, writers: number, found: Found): Promise<void> {
  const load = new Writers(cluster, writers);
  const gapsMs: number[] = [];
  let perSecond = 0;
  try {
    for (let kill = 0; kill < kills; kill++) {
      const before = load.acknowledged;
      await load.during(pause(settleMs));
      perSecond += (load.acknowledged - before) / (settleMs / 1000) / kills;
      const leader = await cluster.leader();
      load.times.length = 0;
      load.times.push(performance.now());
      await cluster.kill(leader);
      await load.during(pause(watchMs));
      gapsMs.push(longestGap([...load.times, performance.now()]));
      cluster.start(leader);
      await load.during(cluster.untilReady(leader));
    }
  } finally {
    await load.stop();
  }
  const { p50Ms, p99Ms, maxMs } = summarize(gapsMs);
  const lost = await load.lost();
  found(`leader killed, c=${writers}`, {
    ...{ kills, p50Ms, p99Ms, maxMs, acknowledged: load.acknowledged, lost, perSecond, gapsMs },
  });
  if (lost > 0) throw new Error(`${lost} acknowledged states are not there any more`);
}

/**
 * Each creates one state after the other and repeats one with the same Request-Id, at the next node, until it is
 * acknowledged: what was acknowledged are the first so many of each.
 */
class Writers {
  /** Of acknowledgements since the array was emptied. */
  readonly times: number[] = [];
  readonly #cluster: SlctCluster;
  readonly #prefix = freshPrefix("failover");
  readonly #counts: number[];
  readonly #work: Promise<unknown>;
  readonly #body = `{"Data":"${textOf(256)}","Selects":[{"ID":"1","Cases":[{"Op":1}]}]}`;
  #isOver = false;

  constructor(cluster: SlctCluster, writers: number) {
    this.#cluster = cluster;
    this.#counts = new Array<number>(writers).fill(0);
    this.#work = Promise.all(this.#counts.map((_, writer) => this.#write(writer)));
  }

  get acknowledged(): number {
    return this.#counts.reduce((sum, one) => sum + one, 0);
  }

  /** @throws what a writer threw meanwhile */
  async during(other: Promise<unknown>): Promise<void> {
    await Promise.race([this.#work, other]);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }

  /** How many of the acknowledged states are not found. */
  async lost(): Promise<number> {
    const missing = this.#counts.map((count) => new Set(Array.from({ length: count }, (_, n) => n)));
    const connection = await this.#cluster.open(0);
    for (let cursor: string | undefined = ""; cursor !== undefined;) {
      const from: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const path = `/state?prefix=${this.#prefix}-&limit=${pageStates}${from}`;
      const { status, body } = await connection.request("GET", path);
      expectAnswer(status === 200, "list", body);
      const page = JSON.parse(body.toString()) as { States: { ID: string }[]; Cursor: string | null };
      for (const { ID } of page.States) {
        const [writer, count] = ID.split("-").slice(-2).map(Number);
        missing[writer ?? -1]?.delete(count ?? -1);
      }
      cursor = page.Cursor ?? undefined;
    }
    connection.close();
    return missing.reduce((sum, one) => sum + one.size, 0);
  }

  async #write(writer: number): Promise<void> {
    const connections = new Map<number, Connection>();
    let at = writer;
    while (!this.#isOver) {
      const id = `${this.#prefix}-${writer}-${this.#counts[writer]}`;
      const deadline = performance.now() + retryMsMax;
      for (;;) {
        const answer = await this.#try(connections, at, id);
        if (answer?.status === 201 || answer?.status === 200) break;
        expectAnswer(answer === undefined || answer.status >= 500, "create", answer?.body);
        expectAnswer(performance.now() < deadline, `create within ${retryMsMax} ms`, answer?.body);
        at++;
        await pause(retryMs);
      }
      this.#counts[writer] = (this.#counts[writer] ?? 0) + 1;
      this.times.push(performance.now());
    }
    for (const connection of connections.values()) connection.close();
  }

  /** Undefined when there was no answer: the node is down. */
  async #try(connections: Map<number, Connection>, at: number, id: string): Promise<Answer | undefined> {
    const node = at % this.#cluster.apis.length;
    try {
      const connection = connections.get(node) ?? (await this.#cluster.open(node));
      connections.set(node, connection);
      return await connection.request("PUT", `/state/${id}`, this.#body, `Request-Id: ${id}\r\n`);
    } catch {
      connections.delete(node);
      return undefined;
    }
  }
}
