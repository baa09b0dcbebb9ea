/**
 * The node as a worker sees it: every question goes to the core over the line.
 *
 * Nothing is kept here but the highest index that was told, so a worker cannot answer with anything old: what a client
 * wrote through one worker it reads through any other.
 */
import type { Freshness, Node, Until, Waitable, Waited } from "../cluster/types.js";
import type { Command } from "../src/select/command.js";
import type { HandOut } from "../src/select/outcome.js";
import type { CoreCalls, Told, WorkerCalls } from "./calls.js";
import type { Line } from "./line.js";

type ToCore = Pick<Line<CoreCalls, WorkerCalls>, "call">;
type Result<K extends keyof CoreCalls> = ReturnType<CoreCalls[K]>["value"];

/** Stands in a command for the one that the core gives. */
const noRef = { node: "", epoch: 0, seq: 0 };

export class RemoteNode implements Node {
  readonly id: string;
  readonly #line: ToCore;
  #appliedIndex = 0;

  constructor(id: string, line: ToCore) {
    this.id = id;
    this.#line = line;
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  submit(command: Command): ReturnType<Node["submit"]> {
    return this.#ask("submit", [command]);
  }

  async submitAndWait(
    build: (ref: typeof noRef) => Waitable,
    { waitMs, signal }: { waitMs: number; signal: AbortSignal },
  ): Promise<Waited> {
    const waited = await this.#ask("submitAndWait", [build(noRef), waitMs], signal);
    // Its client went while the answer was on its way here: the core knew nothing of it.
    if (signal.aborted) for (const handOut of ownHandOuts(waited)) void this.#giveBack(handOut);
    return waited;
  }

  fresh(freshness: Freshness): Promise<void> {
    return this.#ask("fresh", [freshness]);
  }

  state(id: string, freshness: Freshness): ReturnType<Node["state"]> {
    return this.#ask("state", [id, freshness]);
  }

  chan(id: string, freshness: Freshness): ReturnType<Node["chan"]> {
    return this.#ask("chan", [id, freshness]);
  }

  states(query: Parameters<Node["states"]>[0]): ReturnType<Node["states"]> {
    return this.#ask("states", [query]);
  }

  chans(query: Parameters<Node["chans"]>[0]): ReturnType<Node["chans"]> {
    return this.#ask("chans", [query]);
  }

  watch(id: string, until: Until, { waitMs, signal }: { waitMs: number; signal: AbortSignal }): Promise<void> {
    return this.#ask("watch", [id, until, { waitMs }], signal);
  }

  events({ signal, ...query }: Parameters<Node["events"]>[0]): ReturnType<Node["events"]> {
    return this.#ask("events", [query], signal);
  }

  cluster(): ReturnType<Node["cluster"]> {
    return this.#ask("cluster", []);
  }

  change(request: Parameters<Node["change"]>[0]): ReturnType<Node["change"]> {
    return this.#ask("change", [request]);
  }

  ready(): Promise<boolean> {
    return this.#ask("ready", []);
  }

  metrics(): Promise<string> {
    return this.#ask("metrics", []);
  }

  async backup(): ReturnType<Node["backup"]> {
    const { number, ...backup } = await this.#ask("backup", []);
    return { ...backup, pieces: this.#pieces(number), end: () => this.#ask("endBackup", [number]) };
  }

  /** One is asked for when the one before is taken: a slow client fills no memory. */
  async *#pieces(backup: number): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = await this.#ask("piece", [backup]);
      if (piece === undefined) return;
      yield piece;
    }
  }

  async #giveBack({ state }: HandOut): Promise<void> {
    if (state.lock === undefined) return;
    // What cannot be given back runs out: its lease.
    await this.submit({ kind: "unlock", id: state.id, lock: state.lock.token, delayMs: 0 }).catch(() => undefined);
  }

  async #ask<K extends keyof CoreCalls>(
    name: K,
    args: Parameters<CoreCalls[K]>,
    signal?: AbortSignal,
  ): Promise<Result<K>> {
    const told: Told<Result<K>> = await this.#line.call(name, args, signal);
    if (told.appliedIndex > this.#appliedIndex) this.#appliedIndex = told.appliedIndex;
    return told.value;
  }
}

/** Those that nobody else got, with this request or an earlier one. */
function ownHandOuts(waited: Waited): readonly HandOut[] {
  if (waited.kind === "granted") return waited.shared ? [] : waited.handOuts;
  if (waited.kind !== "answer" || waited.outcome.repeated === true) return [];
  const { answer } = waited.outcome;
  return answer.kind === "handOuts" ? answer.handOuts : [];
}
