/**
 * One machine over counted records, with short names for commands and answers. For the engine's own unit tests.
 */
import { keys } from "../../src/select/keys.js";
import { Machine } from "../../src/select/machine.js";
import type { Command, PutCommand } from "../../src/select/command.js";
import type { Answer, Effect, Refusal } from "../../src/select/outcome.js";
import type { PendingRecord } from "../../src/select/pending.js";
import type { Demand, Ref, SelectSpec } from "../../src/select/types.js";
import { MapView } from "../../src/select/view-map.js";

export const settings = {
  attemptsMax: 2,
  retentionMs: 60_000,
  requestMemoryMs: 10_000,
  selectsMax: 3,
  callbackLeaseMs: 30_000,
};

/** Counts what an entry reads and writes. */
class CountingView extends MapView {
  reads = 0;
  writes = 0;
  override get(key: string): unknown {
    this.reads += 1;
    return super.get(key);
  }
  override put(key: string, value: unknown): void {
    this.writes += 1;
    super.put(key, value);
  }
  override del(key: string): void {
    this.writes += 1;
    super.del(key);
  }
}

export class Bench {
  readonly view = new CountingView();
  machine = new Machine(this.view);
  nowMs = 1_000_000;
  index = 0;

  constructor() {
    this.run({ kind: "configure", seed: new Uint8Array(16), settings });
  }

  run(command: Command) {
    this.index += 1;
    return this.machine.apply({ index: this.index, nowMs: this.nowMs, command });
  }

  answer(command: Command): Answer {
    const { outcome } = this.run(command);
    if (!outcome.ok) throw new Error(`refused: ${outcome.code} ${outcome.message}`);
    return outcome.answer;
  }

  effects(command: Command): readonly Effect[] {
    return this.run(command).effects.filter((effect) => ["granted", "answered", "withdrawn"].includes(effect.kind));
  }

  refusal(command: Command): Refusal {
    const { outcome } = this.run(command);
    if (outcome.ok) throw new Error(`accepted: ${outcome.answer.kind}`);
    return outcome;
  }

  /** Takes one state and gives its token. */
  hand(prefix = ""): string {
    const answer = this.answer({ ...poll(ref(900 + this.index), prefix), park: false });
    const token = answer.kind === "handOuts" ? answer.handOuts[0]?.state.lock?.token : undefined;
    if (token === undefined) throw new Error("nothing was handed out");
    return token;
  }

  restart(): void {
    this.machine = new Machine(this.view);
    const pending = this.view.entries("p\0").map(([key, id]) => [Number(key.slice(2)), id as PendingRecord] as const);
    this.machine.load(
      pending,
      this.view.entries("q\0").map(([, demand]) => demand as Demand),
    );
  }

  /** Kinds of the records that are there, `m` aside, each with its count. */
  census(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const [key] of this.view) if (key !== keys.meta) counts[key.charAt(0)] = (counts[key.charAt(0)] ?? 0) + 1;
    return counts;
  }
}

export const ref = (seq: number, epoch = 1): Ref => ({ node: "n", epoch, seq });
export const recv = (chan: string, id = "1"): SelectSpec => ({ id, choice: "random", cases: [{ op: "recv", chan }] });
export const now = (id = "1"): SelectSpec => ({ id, choice: "random", cases: [{ op: "default" }] });
export const put = (id: string, selects: SelectSpec[], more: Partial<PutCommand> = {}): PutCommand => ({
  kind: "put",
  id,
  digest: JSON.stringify(selects),
  selects,
  ...more,
});
export const poll = (by: Ref, prefix = "") =>
  ({ kind: "demand", for: "poll", prefix, max: 2, leaseMs: 5000, park: true, ref: by }) as const;
export const receive = (by: Ref, requestId?: string): Command => ({
  ...{ kind: "select", route: "recv", cases: [{ op: "recv", chan: "c" }], choice: "random", wait: { ref: by } },
  ...(requestId !== undefined && { requestId }),
});
export const send = (chan = "c"): Command => ({
  ...{ kind: "select", route: "send", cases: [{ op: "send", chan }], choice: "random" },
});
