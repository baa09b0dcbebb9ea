/**
 * A cluster of one without a log, for tests of the API: the real engine over a map, a counter as log index, the real
 * clock for deadlines. What waits and what listens is the node's own code.
 */
import TinyQueue from "tinyqueue";
import { Backups } from "../../cluster/backups.js";
import { systemTime } from "../../cluster/environment.js";
import { Feed } from "../../cluster/feed.js";
import { isReached, listChans, listStates, readChan, readingOf, readState } from "../../cluster/queries.js";
import type { MembershipRequest } from "../../cluster/membership.js";
import type { Committed, MemberStatus, Node, Store } from "../../cluster/types.js";
import { Waits } from "../../cluster/waits.js";
import { SlctError } from "../../src/errors.js";
import { dueOf } from "../../src/select/keys.js";
import { Machine } from "../../src/select/machine.js";
import type { Command } from "../../src/select/command.js";
import type { Settings } from "../../src/select/types.js";
import { MapView } from "../../src/select/view-map.js";
import { readViewOf } from "../storage/read-view.js";

export interface LocalNode extends Node {
  /** Plain requests, polls and `PUT ?wait` that are parked. */
  readonly waitCount: number;
  /** While set, everything that goes through the log is refused with it. */
  outage: SlctError | undefined;
  close(): void;
}

const settings: Settings = {
  attemptsMax: 3,
  retentionMs: 3_600_000,
  requestMemoryMs: 86_400_000,
  selectsMax: 1024,
  callbackLeaseMs: 30_000,
};

/** Commits at once: the log is a counter. */
class LocalLog {
  readonly view = new MapView();
  readonly feed = new Feed(10_000, 0);
  readonly waits: Waits;
  outage: SlctError | undefined;
  index = 0;
  nowMs = 0;
  readonly #machine = new Machine(this.view);
  readonly #due = new TinyQueue<string>([], (a, b) => (a < b ? -1 : a > b ? 1 : 0));
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.waits = new Waits({
      ...{ node: "local", epoch: 1, waitsMax: 10_000, submit: (command) => this.submit(command) },
      onError: (message, error) => {
        throw new Error(message, { cause: error });
      },
    });
    this.#commit({ kind: "configure", seed: new Uint8Array(16), settings });
  }

  submit(command: Command): Promise<Committed> {
    return this.outage ? Promise.reject(this.outage) : Promise.resolve(this.#commit(command));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.waits.close();
    this.feed.close();
  }

  #commit(command: Command): Committed {
    this.index += 1;
    this.nowMs = Math.max(this.nowMs, Date.now());
    const { index, nowMs } = this;
    // As through a log: what is applied shares nothing with what was proposed.
    const applied = this.#machine.apply({ index, nowMs, command: structuredClone(command) });
    for (const effect of applied.effects) {
      if (effect.kind === "armed") this.#due.push(effect.key);
      this.waits.onEffect(effect, index);
      this.feed.onEffect(effect, index, nowMs);
    }
    this.feed.onProgress();
    this.#arm();
    return { index, outcome: applied.outcome };
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const next = this.#due.peek();
    if (next === undefined) return;
    this.#timer = setTimeout(() => this.#expire(), Math.min(Math.max(0, dueOf(next) - Date.now()), 0x7fffffff));
  }

  #expire(): void {
    const keys: string[] = [];
    for (let next = this.#due.peek(); next !== undefined && dueOf(next) <= Date.now(); next = this.#due.peek()) {
      keys.push(next);
      this.#due.pop();
    }
    if (keys.length > 0) this.#commit({ kind: "expire", keys });
    else this.#arm();
  }
}

export function openLocalNode(metrics: () => Promise<string>): LocalNode {
  const log = new LocalLog();
  const store = mapStore(log.view, () => log.index);
  const backups = new Backups({
    ...{ store, time: systemTime },
    header: () => ({ clusterId: "test", nowMs: log.nowMs, configuration: Buffer.alloc(0) }),
  });
  return {
    id: "local",
    get outage() {
      return log.outage;
    },
    set outage(error) {
      log.outage = error;
    },
    get appliedIndex() {
      return log.index;
    },
    get waitCount() {
      return log.waits.count;
    },
    submit: (command) => log.submit(command),
    submitAndWait: (build, options) => log.waits.submit(build, options),
    fresh: ({ stale, minIndex }) => fresh(log, stale, minIndex),
    state: async (id, { stale, minIndex }) => {
      await fresh(log, stale, minIndex);
      return readingOf(log.index, readState(store, id));
    },
    chan: async (id, { stale, minIndex }) => {
      await fresh(log, stale, minIndex);
      return readingOf(log.index, readChan(store, id));
    },
    states: (query) => listStates(store, query),
    chans: (query) => listChans(store, query),
    watch: (id, until, options) =>
      log.feed.watch(id, readState(store, id)?.state, (state) => isReached(until, state), options),
    events: (query) => log.feed.events(query),
    cluster: () => Promise.resolve({ id: "test", nodes: [status(log)], removed: [], changing: false }),
    change: (request) => (log.outage ? Promise.reject(log.outage) : changeAlone(request, log.index)),
    backup: () => backups.open(),
    ready: () => log.outage === undefined,
    metrics,
    close: () => {
      backups.close();
      log.close();
    },
  };
}

function fresh({ outage, index }: LocalLog, stale: boolean, minIndex: number): Promise<void> {
  if (!stale && outage) return Promise.reject(outage);
  if (minIndex > index) return Promise.reject(new SlctError("timeout", `index ${minIndex} was not reached in time`));
  return Promise.resolve();
}

/** As a cluster of one whose only member leads. */
function changeAlone(request: MembershipRequest, index: number): ReturnType<Node["change"]> {
  if (request.kind === "transfer" && request.id === "local") return Promise.resolve({ index, changed: false });
  if (request.kind === "add") return Promise.resolve({ index, changed: true });
  if (request.id === "local") return Promise.reject(new SlctError("busy", "local is the last voter"));
  return Promise.reject(new SlctError("not_found", `${request.id} is not a member`));
}

function status({ index, nowMs }: LocalLog): MemberStatus {
  return {
    ...{ instance: "instance-1", voter: true, peer: "127.0.0.1:1", lagMs: 0, skewMs: 0, reachable: true, alarms: [] },
    ...{ id: "local", api: "http://127.0.0.1", role: "leader", term: 1, leader: "local", version: "test" },
    ...{ lastIndex: index, commitIndex: index, appliedIndex: index, flushedIndex: index, dbBytes: 0, atMs: nowMs },
  };
}

function mapStore(view: MapView, appliedIndex: () => number): Store {
  return {
    get: (key) => view.get(key),
    put: (key, value) => view.put(key, value),
    del: (key) => view.del(key),
    get appliedIndex() {
      return appliedIndex();
    },
    appliedTerm: 1,
    get flushedIndex() {
      return appliedIndex();
    },
    advance: () => undefined,
    flush: () => Promise.resolve(),
    readView: () => Promise.resolve(readViewOf(new Map(view.entries()), { index: appliedIndex(), term: 1 })),
    range: ({ gte, lt, limit }) =>
      Promise.resolve(
        view
          .entries()
          .filter(([key]) => key >= gte && key < lt)
          .slice(0, limit),
      ),
    stateHash: () => Promise.resolve({ index: appliedIndex(), hash: "" }),
    sizeBytes: () => Promise.resolve(0),
    close: () => Promise.resolve(),
  };
}
