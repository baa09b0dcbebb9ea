/**
 * A cluster of one in memory: the real engine over a map, a counter as its log, virtual time as its clock.
 *
 * What waits and what listens is the node's own code (cluster/waits.ts, cluster/feed.ts), what it answers is api's. The
 * only thing that is not there is Raft: every entry is committed when it is proposed.
 */
import TinyQueue from "tinyqueue";
import { Feed } from "../../cluster/feed.js";
import {
  isReached,
  listChans,
  listStates,
  readChan,
  readingOf,
  readState,
  type Readable,
} from "../../cluster/queries.js";
import type { Committed, MemberStatus, Node } from "../../cluster/types.js";
import { Waits } from "../../cluster/waits.js";
import type { Command } from "../../src/select/command.js";
import { dueOf } from "../../src/select/keys.js";
import { Machine } from "../../src/select/machine.js";
import type { Settings } from "../../src/select/types.js";
import { MapView } from "../../src/select/view-map.js";
import { SlctError } from "../../src/errors.js";
import type { VirtualTime } from "./virtual-time.js";

export interface MemoryNodeOptions {
  readonly seed: number;
  readonly time: VirtualTime;
  readonly settings?: Partial<Settings>;
}

/** As of a real node (docs/configuration.md). */
const defaultSettings: Settings = {
  attemptsMax: 10,
  retentionMs: 7 * 86_400_000,
  requestMemoryMs: 86_400_000,
  selectsMax: 1024,
  callbackLeaseMs: 30_000,
};
const eventsMax = 100_000;
const waitsMax = 10_000;

export class MemoryNode implements Node {
  readonly id = "memory";
  readonly #time: VirtualTime;
  readonly #view = new MapView();
  readonly #machine = new Machine(this.#view);
  readonly #feed: Feed;
  /** Polls, and puts that wait. */
  readonly #polls: Waits;
  /** Plain requests: their wait ends when it says. */
  readonly #plain: Waits;
  readonly #due = new TinyQueue<string>([], (a, b) => (a < b ? -1 : a > b ? 1 : 0));
  readonly #store = readable(this.#view);
  #cancelTimer: () => void = () => undefined;
  #index = 0;
  #nowMs = 0;
  #watching = 0;

  constructor({ seed, time, settings }: MemoryNodeOptions) {
    this.#time = time;
    this.#feed = new Feed(eventsMax, 0, waitsMax, time.patient);
    const waits = (node: string, clock: VirtualTime["patient"]) =>
      new Waits({
        ...{ node, epoch: 1, waitsMax, time: clock, submit: (command) => this.submit(command) },
        onError: (message, error) => {
          throw new Error(message, { cause: error });
        },
      });
    this.#polls = waits("polls", time.patient);
    this.#plain = waits("plain", time);
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setFloat64(0, seed);
    this.#commit({ kind: "configure", seed: bytes, settings: { ...defaultSettings, ...settings } });
  }

  get appliedIndex(): number {
    return this.#index;
  }

  /** Requests that wait for something to happen. */
  get parked(): number {
    return this.#polls.count + this.#plain.count + this.#watching;
  }

  submit(command: Command): Promise<Committed> {
    return Promise.resolve(this.#commit(command));
  }

  submitAndWait: Node["submitAndWait"] = (build, options) => {
    const isPlain = build({ node: "", epoch: 0, seq: 0 }).kind === "select";
    return (isPlain ? this.#plain : this.#polls).submit(build, options);
  };

  fresh({ minIndex }: { readonly minIndex: number }): Promise<void> {
    if (minIndex <= this.#index) return Promise.resolve();
    return Promise.reject(new SlctError("timeout", `index ${minIndex} was not reached in time`));
  }

  state: Node["state"] = async (id, freshness) => {
    await this.fresh(freshness);
    return readingOf(this.#index, readState(this.#store, id));
  };
  chan: Node["chan"] = async (id, freshness) => {
    await this.fresh(freshness);
    return readingOf(this.#index, readChan(this.#store, id));
  };
  states: Node["states"] = (query) => listStates(this.#store, query);
  chans: Node["chans"] = (query) => listChans(this.#store, query);
  watch: Node["watch"] = (id, until, options) =>
    this.#parking(this.#feed.watch(id, readState(this.#store, id)?.state, (state) => isReached(until, state), options));
  events: Node["events"] = (query) => this.#parking(this.#feed.events(query));

  cluster: Node["cluster"] = () =>
    Promise.resolve({ id: this.id, nodes: [this.#status()], removed: [], changing: false });

  /** Its only member stays and leads. */
  change: Node["change"] = ({ kind, id }) => {
    if (kind === "transfer" && id === this.id) return Promise.resolve({ index: this.#index, changed: false });
    return Promise.reject(new SlctError("bad_request", "a cluster in memory has one member"));
  };

  backup: Node["backup"] = () =>
    Promise.reject(new SlctError("bad_request", "a cluster in memory has nothing to restore"));

  ready(): boolean {
    return true;
  }

  metrics(): Promise<string> {
    return Promise.resolve("");
  }

  close(): void {
    this.#cancelTimer();
    this.#polls.close();
    this.#plain.close();
    this.#feed.close();
  }

  #commit(command: Command): Committed {
    this.#index += 1;
    this.#nowMs = Math.max(this.#nowMs, this.#time.wallMs());
    const [index, nowMs] = [this.#index, this.#nowMs];
    // As through a log: what is applied shares nothing with what was proposed.
    const { outcome, effects } = this.#machine.apply({ index, nowMs, command: structuredClone(command) });
    for (const effect of effects) {
      if (effect.kind === "armed") this.#due.push(effect.key);
      this.#polls.onEffect(effect, index);
      this.#plain.onEffect(effect, index);
      this.#feed.onEffect(effect, index, nowMs);
    }
    this.#feed.onProgress();
    this.#arm();
    return { index, outcome };
  }

  #arm(): void {
    this.#cancelTimer();
    const next = this.#due.peek();
    if (next === undefined) return;
    this.#cancelTimer = this.#time.after(dueOf(next) - this.#time.wallMs(), () => this.#expire());
  }

  #expire(): void {
    const keys: string[] = [];
    for (
      let next = this.#due.peek();
      next !== undefined && dueOf(next) <= this.#time.wallMs();
      next = this.#due.peek()
    ) {
      keys.push(next);
      this.#due.pop();
    }
    if (keys.length > 0) this.#commit({ kind: "expire", keys });
    else this.#arm();
  }

  async #parking<T>(waits: Promise<T>): Promise<T> {
    this.#watching += 1;
    try {
      return await waits;
    } finally {
      this.#watching -= 1;
    }
  }

  #status(): MemberStatus {
    const index = this.#index;
    return {
      ...{ instance: this.id, voter: true, peer: "memory", alarms: [], lagMs: 0, skewMs: 0, reachable: true },
      ...{ id: this.id, api: "http://memory", role: "leader", term: 1, leader: this.id, version: "memory" },
      ...{ lastIndex: index, commitIndex: index, appliedIndex: index, flushedIndex: index, dbBytes: 0 },
      atMs: this.#nowMs,
    };
  }
}

/** What queries read: the records of `view` in key order. */
function readable(view: MapView): Readable {
  return {
    get: (key) => view.get(key),
    range: ({ gte, lt, limit }) => {
      const inside = view.entries().filter(([key]) => key >= gte && key < lt);
      return Promise.resolve(inside.slice(0, limit));
    },
  };
}
