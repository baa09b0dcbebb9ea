/**
 * A driver over a log in memory and an engine that only notes what it is asked to apply.
 */
import { Driver } from "../../cluster/driver.js";
import { systemTime } from "../../cluster/environment.js";
import type { LogStore, Store } from "../../cluster/types.js";
import { MemoryLog } from "../../raft/memory-log.js";
import { Raft } from "../../raft/raft.js";
import type { Configuration, Message } from "../../raft/types.js";
import { encodeEntry, stampEntry } from "../../src/codec.js";
import { configurationOf } from "../raft/messages.js";
import { nameOf, named } from "./mesh.js";
import { Engine } from "./engine.js";

interface Write {
  readonly entries: number;
  readonly end: (error?: Error) => void;
}

/** A log in memory whose writes end when the test says so, once `slow` is set. */
function openLog() {
  const memory = new MemoryLog();
  const writes: Write[] = [];
  const began: (() => void)[] = [];
  const log = {
    slow: false,
    hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
    firstIndex: () => memory.firstIndex(),
    lastIndex: () => memory.lastIndex(),
    term: (index) => memory.term(index),
    entries: (from, to, bytesMax) => memory.entries(from, to, bytesMax),
    append: ({ entries }) => {
      if (!log.slow) return Promise.resolve(memory.append(entries));
      return new Promise((resolve, reject) => {
        const end = (error?: Error) => (error === undefined ? resolve(memory.append(entries)) : reject(error));
        writes.push({ entries: entries.length, end });
        began.shift()?.();
      });
    },
    compact: () => Promise.resolve(),
    reset: () => Promise.resolve(),
    bytesFrom: () => 0,
    close: () => Promise.resolve(),
  } satisfies LogStore & { slow: boolean } as LogStore & { slow: boolean };
  return { log, writes, nextWrite: () => new Promise<void>((resolve) => began.push(resolve)) };
}

export function stamped(name: string, stampMs = 6000): Buffer {
  const data = encodeEntry({ node: "n1", epoch: 1, seq: 1 }, named(name));
  stampEntry(data, stampMs);
  return data;
}

/** n1 over the log, following nobody yet. */
export function build(voters: readonly string[] = ["n1"]) {
  const { log, writes, nextWrite } = openLog();
  const raft = new Raft({
    ...{ id: "n1", configuration: configurationOf(voters), electionTicks: 10, heartbeatTicks: 1, random: () => 0, log },
    ...{ hardState: log.hardState, appliedIndex: 0, appendBytesMax: 1 << 20, inflightMax: 8 },
    ...{ uncommittedBytesMax: 1 << 20, preVote: false, checkQuorum: false },
  });
  const engine = new Engine();
  const { machine, view } = engine;
  const at = { appliedIndex: 0, appliedTerm: 0 };
  const advance = (index: number, term: number) => Object.assign(at, { appliedIndex: index, appliedTerm: term });
  const put = (key: string, value: unknown) => view.put(key, value);
  const store = Object.assign(at, { advance, put, get: (key: string) => view.get(key) }) as unknown as Store;
  const configurations: Configuration[] = [];
  const sent: Message[] = [];
  const seen = {
    ...{ applied: [] as string[], stamps: [] as number[], terms: [] as number[], fatal: [] as unknown[] },
    steps: [] as number[],
  };
  const asked = { snapshotsTo: [] as string[], installs: [] as { index: number; term: number }[] };
  const hooks = { onApplied: (() => undefined) as (name: string) => void, onReads: (() => undefined) as () => void };
  const progressed: (() => void)[] = [];
  const clock = { ms: 0 };
  const driver: Driver = new Driver({
    ...{ raft, log, store, machine, nowMs: 5000, time: { ...systemTime, nowMs: () => clock.ms } },
    host: {
      beforeTurn: () => undefined,
      send: (message) => sent.push(message),
      onApplied: ({ command, nowMs }) => {
        seen.applied.push(nameOf(command));
        seen.stamps.push(nowMs);
        hooks.onApplied(nameOf(command));
      },
      onConfiguration: (configuration) => configurations.push(configuration),
      onTerm: (term) => seen.terms.push(term),
      onReads: () => hooks.onReads(),
      onSnapshotsTo: (ids) => asked.snapshotsTo.push(...ids),
      onInstall: (install) => asked.installs.push(install),
      onProgress: () => progressed.splice(0).forEach((resolve) => resolve()),
      observeSync: () => undefined,
      observeApply: (seconds) => seen.steps.push(seconds),
      onFatal: (error) => {
        seen.fatal.push(error);
        progressed.splice(0).forEach((resolve) => resolve());
      },
    },
  });
  const propose = (name: string, stampMs = 6000) => {
    raft.propose([stamped(name, stampMs)]);
    driver.wake();
  };
  const progress = () => new Promise<void>((resolve) => progressed.push(resolve));
  const step = (...messages: readonly Message[]) => {
    for (const message of messages) raft.step(message);
    driver.wake();
  };
  const held = { driver, raft, engine, log, writes, nextWrite, clock };
  return { ...held, sent, seen, asked, configurations, hooks, propose, progress, step };
}

/** A cluster of one, elected. */
export async function open() {
  const built = build();
  built.raft.campaign();
  built.driver.wake();
  await built.progress();
  return built;
}

/** What is ready to run does, a few times over. */
export async function turns(): Promise<void> {
  for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
}
