/**
 * A {@link Timeline} whose nodes apply what is committed to select engines of their own, as cluster/driver.ts does.
 */
import type { NodeId } from "../../raft/types.js";
import { decodeEntry, encodeEntry, stampEntry } from "../../src/codec.js";
import type { Command } from "../../src/select/command.js";
import { waitersIn } from "../../src/select/chan.js";
import { keys } from "../../src/select/keys.js";
import { Machine } from "../../src/select/machine.js";
import type { Outcome } from "../../src/select/outcome.js";
import type { PendingRecord } from "../../src/select/pending.js";
import type { Chan, Demand, State } from "../../src/select/types.js";
import { MapView } from "../../src/select/view-map.js";
import { settings } from "../select/engine-bench.js";
import { Timeline } from "./timeline.js";

const entryVersion = 1;
const sides = ["send", "recv"] as const;

/** A request of a client; without an outcome as long as it is not answered. */
export interface Ask {
  outcome?: Outcome;
  index?: number;
}

class Replica {
  readonly view = new MapView();
  machine = new Machine(this.view);
  nowMs = 0;
  index = 0;
  outcome: Outcome | undefined;
}

export class Replicas {
  readonly timeline: Timeline;
  /** Wall clock of every leader. */
  nowMs = 1_000_000;
  /** What came of each entry, by index: the same on every replica. */
  readonly #applied = new Map<number, string>();
  readonly #replicas: ReadonlyMap<NodeId, Replica>;
  #seq = 0;

  /** Led by n1. */
  constructor(size = 3) {
    this.timeline = new Timeline(size);
    this.#replicas = new Map(this.timeline.ids.map((id) => [id, new Replica()]));
    this.timeline.onApplied = (id, { index, data }) => this.#apply(id, index, data);
    this.timeline.elect("n1");
    this.ask({ kind: "configure", seed: new Uint8Array(16), settings });
  }

  /** To the node `by`, which leads; answered as soon as nothing moves any more. */
  ask(command: Command, by: NodeId = this.timeline.leaders[0] ?? "n1"): Ask {
    const ask = this.begin(command, by);
    this.timeline.settle();
    return ask;
  }

  /** Proposed, and nothing is sent yet: several of them make one batch. */
  begin(command: Command, by: NodeId = this.timeline.leaders[0] ?? "n1"): Ask {
    const ask: Ask = {};
    this.#seq += 1;
    const entry = encodeEntry({ node: by, epoch: 1, seq: this.#seq }, command);
    stampEntry(entry, this.nowMs);
    const replica = this.#of(by);
    const taken = this.timeline.submit(by, entry, () => {
      Object.assign(ask, { index: replica.index, outcome: replica.outcome });
    });
    if (!taken) throw new Error(`${by} does not lead`);
    return ask;
  }

  /** A new machine over the records that are there. */
  restart(id: NodeId): void {
    const replica = this.#of(id);
    replica.machine = new Machine(replica.view);
    replica.machine.load(
      replica.view.entries("p\0").map(([key, state]) => [Number(key.slice(2)), state as PendingRecord] as const),
      replica.view.entries("q\0").map(([, demand]) => demand as Demand),
    );
    this.timeline.start(id);
  }

  state(id: string, on: NodeId = "n1"): State | undefined {
    return this.#of(on).view.get(keys.state(id)) as State | undefined;
  }

  /** States whose cases wait on a channel. */
  waiting(on: NodeId = "n1"): string[] {
    const { view } = this.#of(on);
    const chans = view.entries("c\0").map(([, chan]) => chan as Chan);
    const waiters = chans.flatMap((chan) =>
      sides.flatMap((side) => [...waitersIn(chan, side, (key) => view.get(key))]),
    );
    return waiters.map(({ state }) => state);
  }

  /** The records, without the one that holds counters and log time. */
  records(on: NodeId = "n1"): [key: string, value: unknown][] {
    return this.#of(on)
      .view.entries()
      .filter(([key]) => key !== keys.meta);
  }

  #of(id: NodeId): Replica {
    return this.#replicas.get(id) as Replica;
  }

  #apply(id: NodeId, index: number, data: Uint8Array): void {
    // What the timeline proposes by itself are digits.
    if (data.length === 0 || data[0] !== entryVersion) return;
    const replica = this.#of(id);
    const { nowMs, command } = decodeEntry(data);
    replica.nowMs = Math.max(replica.nowMs, nowMs);
    const applied = replica.machine.apply({ index, nowMs: replica.nowMs, command });
    Object.assign(replica, { index, outcome: applied.outcome });
    const text = JSON.stringify(applied);
    if ((this.#applied.get(index) ?? text) !== text) throw new Error(`${id} differs at ${index}`);
    this.#applied.set(index, text);
  }
}
