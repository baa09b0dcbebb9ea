/**
 * What the processes of a node ask of each other: a worker that serves HTTP, and the core that is the node.
 */
import type { Committed, Node, Waitable, Waited } from "../cluster/types.js";
import type { Command } from "../src/select/command.js";

/** With every answer of the core: what it had applied by then. */
export interface Told<T> {
  readonly appliedIndex: number;
  readonly value: T;
}

type Options<K extends "watch" | "events"> = Omit<Parameters<Node[K]>[K extends "watch" ? 2 : 0], "signal">;
type Value<K extends keyof Node> = Node[K] extends (...args: never[]) => infer R ? Awaited<R> : never;

/** An archive on its way out, without its pieces: they are fetched one by one. */
export interface OpenBackup {
  readonly number: number;
  readonly clusterId: string;
  readonly index: number;
  readonly records: number;
  readonly hash: string;
}

/** As {@link Node}, where the signal of a call is that of the line. */
export type CoreCalls = {
  submit: (command: Command) => Told<Committed>;
  /** The ref in the command stands for one that the core gives. */
  submitAndWait: (command: Waitable, waitMs: number) => Told<Waited>;
  fresh: (...args: Parameters<Node["fresh"]>) => Told<void>;
  state: (...args: Parameters<Node["state"]>) => Told<Value<"state">>;
  chan: (...args: Parameters<Node["chan"]>) => Told<Value<"chan">>;
  states: (...args: Parameters<Node["states"]>) => Told<Value<"states">>;
  chans: (...args: Parameters<Node["chans"]>) => Told<Value<"chans">>;
  watch: (id: string, until: Parameters<Node["watch"]>[1], options: Options<"watch">) => Told<void>;
  events: (query: Options<"events">) => Told<Value<"events">>;
  cluster: () => Told<Value<"cluster">>;
  change: (...args: Parameters<Node["change"]>) => Told<Value<"change">>;
  ready: () => Told<boolean>;
  metrics: () => Told<string>;
  backup: () => Told<OpenBackup>;
  /** The next piece of it; undefined: that was all. */
  piece: (backup: number) => Told<Uint8Array | undefined>;
  endBackup: (backup: number) => Told<void>;
};

/** What the core asks of a worker. */
export type WorkerCalls = {
  /** Serves from now on. Port 0: any. Answers with the one it is. */
  listen: (port: number) => number;
  /** Its metrics, as JSON of prom-client. */
  metrics: () => readonly object[];
  /** Lets no more requests in; answers when those under way have ended, within a bound. */
  drain: () => void;
};
