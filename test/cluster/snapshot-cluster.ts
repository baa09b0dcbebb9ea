/**
 * Nodes in this process whose logs are short, so that whoever is away for a moment needs a snapshot: real storage, links of
 * a {@link Network}, seats that start over in place.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { Registry } from "prom-client";
import { systemEnvironment, systemTime, type Environment } from "../../cluster/environment.js";
import type { NodeConfig } from "../../cluster/node-config.js";
import { Seat } from "../../cluster/seat.js";
import type { Command } from "../../src/select/command.js";
import { settings } from "./engine.js";
import { Network } from "./network.js";

/** A line of a node's log. */
export interface Said {
  readonly event?: string;
  readonly [detail: string]: unknown;
}

export const ids = ["n1", "n2", "n3"];

/** What is done now and then is done all the time. */
const hasty: Environment = {
  ...systemEnvironment,
  time: {
    ...systemTime,
    every: (ms, run) => systemTime.every(Math.min(ms, 300), run),
    after: (ms, run) => systemTime.after(Math.min(ms, 300), run),
  },
};

export class SnapshotCluster {
  readonly root = mkdtempSync(join(tmpdir(), "slct-snapshot-"));
  readonly network = new Network();
  readonly seats = new Map<string, Seat>();
  /** By node. */
  readonly said = new Map<string, Said[]>();
  readonly fatal: unknown[] = [];
  readonly #listeners = new Set<() => void>();
  #written = 0;

  static async open(nodes = ids): Promise<SnapshotCluster> {
    const cluster = new SnapshotCluster();
    await Promise.all(nodes.map((id) => cluster.start(id)));
    await cluster.write(1);
    return cluster;
  }

  dir(id: string): string {
    return join(this.root, id);
  }

  seat(id: string): Seat {
    const seat = this.seats.get(id);
    if (seat === undefined) throw new Error(`${id} is not running`);
    return seat;
  }

  async start(id: string): Promise<Seat> {
    const said = this.said.get(id) ?? [];
    this.said.set(id, said);
    const write = (line: string) => {
      said.push(JSON.parse(line) as Said);
      for (const look of [...this.#listeners]) look();
    };
    const seat = await Seat.open(
      configOf(id, this.dir(id)),
      {
        ...{ version: "0", logger: pino({ level: "info" }, { write }), registry: new Registry() },
        environment: hasty,
        render: () => Buffer.alloc(0),
        parseReturned: () => {
          throw new Error("there are no callbacks");
        },
        onFatal: (error: unknown) => {
          this.fatal.push(error);
          for (const look of [...this.#listeners]) look();
        },
      },
      this.network.open,
    );
    this.seats.set(id, seat);
    return seat;
  }

  async stop(id: string): Promise<void> {
    const seat = this.seat(id);
    this.seats.delete(id);
    await seat.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.seats.values()].map((seat) => seat.close()));
    rmSync(this.root, { recursive: true });
  }

  /** Resolves when `holds`; it is looked at again whenever a node says something, and with every turn. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.fatal.length > 0) throw this.fatal[0];
      await lookAgain();
    }
  }

  /** Resolves in the very moment in which `id` says this. */
  hear(id: string, event: string): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.heard(id, event) && this.#listeners.delete(look)) resolve();
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** Has `id` said this, at least `times`? */
  heard(id: string, event: string, times = 1): boolean {
    return this.count(id, event) >= times;
  }

  count(id: string, event: string): number {
    return (this.said.get(id) ?? []).filter((one) => one.event === event).length;
  }

  /** Writes `count` states of `bytes` through any node that takes them. */
  async write(count: number, bytes = 1000): Promise<void> {
    const data = Buffer.from(JSON.stringify("x".repeat(bytes)));
    const one = async () => {
      const id = `s${++this.#written}`;
      const command: Command = { kind: "put", id, digest: id, data, selects: [] };
      while (!(await this.#submit(command)));
    };
    for (let left = count; left > 0; left -= 50)
      await Promise.all(Array.from({ length: Math.min(50, left) }, () => one()));
  }

  get written(): number {
    return this.#written;
  }

  /** Writes until every log begins behind what `id` has in its own, applied or not, whoever leads. */
  async writeBeyond(id: string): Promise<void> {
    const behind = this.seat(id).member?.parts.raft.status().lastIndex ?? 0;
    const others = [...this.seats.keys()].filter((other) => other !== id);
    const begins = () => Math.min(...others.map((other) => this.firstIndexOf(other)));
    while (begins() <= behind + 1) await this.write(200);
  }

  /** ID of the one that leads; "": nobody. */
  leader(): string {
    const all = [...this.seats.values()].flatMap(({ member }) => member?.parts.raft.status() ?? []);
    const leaders = all.filter(({ role }) => role === "leader").sort((a, b) => b.term - a.term);
    return leaders[0]?.id ?? "";
  }

  firstIndexOf(id: string): number {
    return this.seats.get(id)?.member?.parts.log.firstIndex() ?? 0;
  }

  /** Hash of all records on every node that runs, once all are at one index. */
  async hashes(): Promise<string[]> {
    for (;;) {
      if (this.fatal.length > 0) throw this.fatal[0];
      const hashOf = async ({ member }: Seat) => member?.parts.store.stateHash().catch(() => undefined);
      const found = await Promise.all([...this.seats.values()].map(hashOf));
      const indexes = new Set(found.map((one) => one?.index));
      if (indexes.size === 1 && !indexes.has(undefined)) return found.map((one) => one?.hash ?? "");
      await lookAgain();
    }
  }

  async #submit(command: Command): Promise<boolean> {
    const leader = this.seats.get(this.leader());
    const done = leader?.submit(command).then(
      // The state is there: a try whose outcome was not known was applied.
      ({ outcome }) => outcome.ok || outcome.code === "lock_error",
      () => false,
    );
    if (done === undefined) await lookAgain();
    return (await done) ?? false;
  }
}

/** Waiting must not take the time of what is waited for. */
function lookAgain(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

function configOf(id: string, dataDir: string): NodeConfig {
  return {
    ...{ id, clusterId: "c", dataDir, settings, join: false },
    members: ids.map((one) => ({ id: one, peer: `${one}:1`, api: `http://${one}` })),
    ...{ tickMs: 10, electionTicks: 50, heartbeatTicks: 5, requestTimeoutMs: 1000, leaderGraceMs: 2500 },
    ...{ proposalsMax: 1000, proposalBytesMax: 1 << 24, waitsMax: 1000, eventsMax: 1000 },
    ...{ logSegmentBytes: 1 << 16, logTailBytes: 0, overlayBytesMax: 1 << 16, diskFreeMin: 0 },
    callback: {
      ...{ slots: 0, timeoutMs: 1000, responseBytesMax: 1000, allow: [], secrets: [] },
      backoffMs: { first: 10, max: 100, factor: 2, jitter: 0 },
    },
  };
}
