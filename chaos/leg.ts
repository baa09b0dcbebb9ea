/**
 * One leg of a run: a cluster on one network, workloads, faults one after the other, sometimes two at once, then the
 * accounts.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import type { Target } from "./client.js";
import type { ChaosCluster } from "./cluster.js";
import { converge } from "./convergence.js";
import type { Fault, Group, Scene } from "./fault.js";
import { countKinds, countFound, sample, summarise, type Episode, type Found, type LegReport } from "./figures.js";
import { History, type End } from "./history.js";
import { Observer, type Span } from "./observer.js";
import { checkOrder } from "./order.js";
import { isFair } from "./own-end.js";
import type { Random } from "./random.js";
import { undoAll, type Undo } from "./undo.js";
import type { Violation, Workload } from "./workload.js";

export interface LegOptions {
  readonly cluster: ChaosCluster;
  readonly scene: Omit<Scene, "note">;
  readonly random: Random;
  readonly seconds: number;
  readonly faults: readonly Fault[];
  /** Each fault once, in this order, instead of drawing them. */
  readonly inOrder: boolean;
  readonly openWorkloads: (target: Target) => Promise<readonly Workload[]>;
  readonly print: (line: string) => void;
}

/** What is known of an episode before all its requests have ended. */
type Draft = Omit<Episode, "acknowledged" | "unknown"> & { readonly span: Span };

const quietMs = [300, 2000] as const;
/** Part of the faults that are joined by one of another group, and part that come while members change. */
const shares = { pair: 0.2, members: 0.2 };
/** These come first and are undone last: they need a majority to be made good. */
const comeFirst: readonly Group[] = ["members", "disk"];
/** After the faults are over, for all of it. */
export const convergeMs = 120_000;

export async function runLeg(options: LegOptions): Promise<LegReport> {
  const { cluster, print } = options;
  const startedMs = performance.now();
  const history = new History();
  const target: Target = { nodes: () => cluster.apis(), history };
  const workloads = await options.openWorkloads(target);
  const observer = new Observer(cluster, target);
  const run = new Run(options, observer, startedMs);
  await run.faults();
  await observer.stop();
  const accounted = await accounts(workloads, print);
  const agreed = await converge(cluster, convergeMs);
  run.judgeEnds(options.faults);
  const found = [...run.found, ...accounted];
  for (const violation of checkOrder(history.operations)) found.push({ workload: "order", ...violation });
  if ("kind" in agreed) found.push({ workload: "replicas", ...agreed });
  for (const { workload, kind, what } of sample(found)) print(`${workload}: ${kind}: ${what}`);
  const episodes = run.episodes(history);
  return {
    ...{ network: cluster.network.kind, nodes: cluster.ids.length },
    seconds: Math.round((performance.now() - startedMs) / 1000),
    ...{ faults: summarise(episodes), episodes, missing: run.missing },
    requests: { acknowledged: history.count("ok"), untouched: history.count("fail"), unknown: history.count("info") },
    workloads: Object.fromEntries(workloads.map((one) => [one.name, one.counts()])),
    ...{ violations: countKinds(found), found: countFound(found), details: sample(found) },
    ...("kind" in agreed ? {} : { agreed }),
    ...(cluster.network.kind === "proxies" ? { proxies: cluster.network.counts() } : {}),
  };
}

/** What the workloads found, once each has ended. One that cannot end has found that. */
async function accounts(workloads: readonly Workload[], print: (line: string) => void): Promise<Found[]> {
  const found: Found[] = [];
  const attempt = async (name: string, work: () => Promise<readonly Violation[]>) => {
    try {
      for (const violation of await work()) found.push({ workload: name, ...violation });
    } catch (error) {
      found.push({ workload: name, kind: "stuck", what: String(error) });
    }
  };
  const end = async (workload: Workload) => {
    await workload.stop();
    print(`${workload.name}: ${JSON.stringify(workload.counts())}`);
    return [];
  };
  await Promise.all(workloads.map((workload) => attempt(workload.name, () => end(workload))));
  for (const workload of workloads) await attempt(workload.name, () => workload.violations());
  return found;
}

class Run {
  readonly missing: Record<string, string> = {};
  readonly found: Found[] = [];
  readonly #options: LegOptions;
  readonly #observer: Observer;
  readonly #startedMs: number;
  readonly #available: readonly Fault[];
  readonly #drafts: Draft[] = [];
  /** Names of the faults of the latest episode. */
  #underWay = "";

  constructor(options: LegOptions, observer: Observer, startedMs: number) {
    this.#options = options;
    this.#observer = observer;
    this.#startedMs = startedMs;
    const scene = { ...options.scene, note: () => undefined };
    this.#available = options.faults.filter((fault) => {
      const why = fault.missing?.(scene);
      if (why !== undefined) this.missing[fault.name] = why;
      return why === undefined;
    });
  }

  /** Ends early, with a violation, when the cluster does not recover. */
  async faults(): Promise<void> {
    const { seconds, inOrder, random, print } = this.#options;
    const endMs = this.#startedMs + seconds * 1000;
    try {
      for (let n = 0; inOrder ? n < this.#available.length : performance.now() < endMs; n++) {
        const fault = inOrder ? (this.#available[n] as Fault) : this.#draw(this.#available);
        await this.#episode(inOrder ? [fault] : this.#joined(fault));
        await pause(random.between(...quietMs));
      }
    } catch (error) {
      const what = `${this.#underWay}: ${String(error)}`;
      print(`the faults end here: ${what}`);
      this.found.push({ workload: "faults", kind: "stuck", what });
    }
  }

  /** With the requests that began in each. */
  episodes(history: History): Episode[] {
    return this.#drafts.map(({ span, ...draft }) => {
      const { fromMs, toMs } = span;
      const during = history.operations.filter(({ invokedMs }) => invokedMs >= fromMs && invokedMs <= toMs);
      const count = (end: End) => during.filter((one) => one.end === end).length;
      return { ...draft, acknowledged: count("ok"), unknown: count("info") };
    });
  }

  /** With another one, now and then; in the order in which they come. */
  #joined(fault: Fault): readonly Fault[] {
    const dice = this.#options.random.next();
    if (dice > shares.pair + shares.members) return [fault];
    const others = this.#available.filter(({ group }) => group !== fault.group);
    const members = others.filter(({ group }) => group === "members");
    const from = dice > shares.pair ? members : others;
    if (from.length === 0) return [fault];
    const rank = ({ group }: Fault) => (comeFirst.includes(group) ? comeFirst.indexOf(group) : comeFirst.length);
    return [fault, this.#draw(from)].sort((a, b) => rank(a) - rank(b));
  }

  #draw(faults: readonly Fault[]): Fault {
    const { random } = this.#options;
    let left = random.next() * faults.reduce((sum, { weight }) => sum + weight, 0);
    return faults.find(({ weight }) => (left -= weight) < 0) ?? random.pick(faults);
  }

  async #episode(faults: readonly Fault[]): Promise<void> {
    const notes: string[] = [];
    this.#underWay = faults.map(({ name }) => name).join("+");
    const scene = { ...this.#options.scene, note: (what: string) => void notes.push(what) };
    const fromMs = performance.now();
    const undos: Undo[] = [];
    let undoneMs = fromMs;
    try {
      for (const fault of faults) {
        undos.push(await fault.inflict(scene));
        await pause(this.#options.random.between(...fault.holdMs));
      }
    } finally {
      undoneMs = performance.now();
      await undoAll(undos.reverse())();
    }
    const span = { fromMs, toMs: await this.#recovered(undoneMs) };
    this.judgeEnds(faults);
    const draft: Draft = {
      ...{ fault: this.#underWay, notes, span },
      ...{ atMs: Math.round(fromMs - this.#startedMs), heldMs: Math.round(undoneMs - fromMs) },
      unavailableMs: Math.round(this.#observer.unavailableMs(span)),
      recoveryMs: Math.round(span.toMs - undoneMs),
      leaderChanges: this.#observer.leaderChanges(span),
    };
    this.#drafts.push(draft);
    this.#options.print(line(draft));
  }

  /** A node ends by itself for a fault of its disk, or because it is told to; for nothing else. */
  judgeEnds(faults: readonly Fault[]): void {
    if (faults.some(({ group }) => group === "disk")) return void this.#options.cluster.takeOwnEnds();
    for (const end of this.#options.cluster.takeOwnEnds())
      if (!isFair(end))
        this.found.push({
          workload: "nodes",
          kind: "wrong",
          what: `${end.id} ended by itself: ${end.how}, ${end.said}`,
        });
  }

  /**
   * When all nodes serve and a write has been acknowledged. A node that ended by itself is started again, as it would be
   * anywhere.
   * @throws Error when that takes two minutes
   */
  async #recovered(undoneMs: number): Promise<number> {
    const { cluster } = this.#options;
    await Promise.all(cluster.ids.map((id) => cluster.revive(id)));
    const write = await this.#observer.nextWrite(convergeMs);
    if (write === undefined)
      throw new Error(`writes did not resume; ${this.#observer.last}; ${JSON.stringify(await cluster.statuses())}`);
    return Math.max(write, undoneMs);
  }
}

function line({ atMs, fault, notes, heldMs, unavailableMs, recoveryMs, leaderChanges }: Draft): string {
  const at = `${String(Math.round(atMs / 1000)).padStart(5)} s  ${fault}: ${notes.join("; ")}`;
  return `${at}: held ${heldMs} ms, unavailable ${unavailableMs} ms, recovered after ${recoveryMs} ms, ${leaderChanges} leaders`;
}
