/**
 * One run: a cluster, its clients and its faults, all out of one configuration; then the faults end for a quorum, and the
 * cluster has to recover.
 */
import type { NodeConfig } from "../cluster/node-config.js";
import { addressOf, idOf } from "./address.js";
import { Buggify } from "./buggify.js";
import { Clients } from "./clients.js";
import type { SimConfig } from "./config.js";
import { describe } from "./describe.js";
import { Loop } from "./loop.js";
import { Nemesis } from "./nemesis.js";
import { Network } from "./network.js";
import { SimNode } from "./node.js";
import { Operator } from "./operator.js";
import { Oracle } from "./oracle.js";
import { streamSeed } from "./random.js";
import { RaftChecks } from "./raft-checks.js";
import { Recovery } from "./recovery.js";
import { Reference } from "./reference.js";
import { Schedule, type Fault } from "./schedule.js";
import type { Surroundings } from "./surroundings.js";
import { Trace } from "./trace.js";
import { Verdict } from "./verdict.js";
import { Violation } from "./violation.js";

export interface RunOptions {
  /** Carried out instead of drawn ones. */
  readonly faults?: readonly Fault[];
  /** Lines of trace to keep; 0 by default. */
  readonly traceLines?: number;
}

export interface Result {
  readonly config: SimConfig;
  /** Absent: every promise was kept. */
  readonly violation?: { readonly invariant: string; readonly message: string };
  readonly faults: readonly Fault[];
  readonly trace: string;
  readonly lines: readonly string[];
  readonly events: number;
  readonly simulatedMs: number;
  readonly committed: number;
  readonly answered: number;
  readonly unknown: number;
  readonly leaders: number;
  /** Snapshots that were installed, and changes of the members that were committed. */
  readonly installed: number;
  readonly changed: number;
}

/** A run that takes more events than this has got stuck in a circle. */
const eventsMax = 2_000_000;

/** Called outside of promise jobs: see `outsideJobs`. */
export function simulate(config: SimConfig, options: RunOptions = {}): Result {
  return new Simulation(config, options).run();
}

class Simulation {
  readonly #config: SimConfig;
  readonly #loop = new Loop();
  readonly #trace: Trace;
  readonly #verdict = new Verdict();
  readonly #schedule: Schedule;
  readonly #reference: Reference;
  readonly #oracle: Oracle;
  readonly #nodes: readonly SimNode[];
  readonly #network: Network;
  readonly #checks: RaftChecks;
  readonly #clients: Clients;
  readonly #nemesis: Nemesis;
  #installed = 0;

  constructor(config: SimConfig, { faults, traceLines = 0 }: RunOptions) {
    const loop = this.#loop;
    const verdict = this.#verdict;
    const trace = new Trace(traceLines);
    const schedule = new Schedule(faults);
    const members = Array.from({ length: config.nodes }, (_, at) => addressOf(idOf(at)));
    const reference = new Reference({ sentOnce: !config.retries, members });
    const oracle = new Oracle(reference);
    const around: Surroundings = {
      ...{ config, loop, trace, verdict, reference },
      buggify: new Buggify(config.seed, config.buggify, schedule),
      onInstalled: () => (this.#installed += 1),
      network: () => this.#network,
      checks: () => this.#checks,
    };
    const nodes = Array.from(
      { length: config.nodes + config.spares },
      (_, at) => new SimNode(idOf(at), at, nodeConfigOf(config, at), around),
    );
    this.#config = config;
    this.#trace = trace;
    this.#schedule = schedule;
    this.#reference = reference;
    this.#oracle = oracle;
    this.#nodes = nodes;
    this.#checks = new RaftChecks(nodes, (entry) => {
      trace.note(4, entry.index, entry.term);
      oracle.onCommitted(reference.apply(entry));
    });
    this.#network = new Network({
      ...{ loop, schedule, config: config.network, seed: config.seed, hosts: nodes },
      breaksStream: ({ number }) => around.buggify.fires("stream", number),
      refuses: ({ number }) => around.buggify.fires("refused", number),
      onSent: (from, message) => this.#checks.sent(from as SimNode, message),
      onConnected: (from, to) => verdict.guard(() => this.#checks.connected(from as SimNode, to as SimNode)),
      onDelivered: (from, to, frame) => {
        if (frame.kind === "raft") this.#checks.delivered(to as SimNode, frame.message);
        trace.note(3, from.number * 8 + to.number, loop.events);
        if (trace.isKept) trace.line(loop.nowMs, `${from.id} → ${to.id} ${describe(frame)}`);
      },
    });
    this.#clients = new Clients({ config, loop, trace, verdict, nodes, reference, oracle });
    const operator = new Operator({ loop, verdict, nodes, seed: streamSeed(config.seed, "operator") });
    this.#nemesis = new Nemesis({ config, loop, trace, network: this.#network, nodes, schedule, operator });
  }

  run(): Result {
    try {
      for (const node of this.#nodes) if (node.number < this.#config.nodes) node.start();
      this.#nemesis.start();
      this.#clients.start();
      this.#until(this.#config.safetyMs, () => this.#clients.isDone);
      this.#clients.stop();
      this.#nemesis.stop();
      const { change, requestTimeoutMs } = this.#config;
      // Nodes still repeat what they were asked to change, and who dies now is not there to agree to it.
      if (change.everyMs > 0) this.#until(this.#loop.nowMs + 2 * requestTimeoutMs, () => false);
      const recovery = new Recovery({
        ...{ config: this.#config, loop: this.#loop, nodes: this.#nodes, network: this.#network },
        ...{ reference: this.#reference, oracle: this.#oracle, verdict: this.#verdict },
      });
      if (!recovery.isHopeless) {
        recovery.start();
        this.#until(this.#loop.nowMs + recovery.limitMs, () => recovery.isDone());
        recovery.finish();
      }
    } catch (error) {
      this.#verdict.report(error);
    }
    return this.#result();
  }

  #until(endMs: number, isDone: () => boolean): void {
    const loop = this.#loop;
    let looks = 0;
    while (this.#verdict.violation === undefined && loop.step(endMs)) {
      if (++looks % 16 === 0 && isDone()) return;
      if (loop.events > eventsMax) throw new Violation("bounded work", `${loop.events} events`);
    }
  }

  #result(): Result {
    const { violation } = this.#verdict;
    return {
      config: this.#config,
      ...(violation && { violation: { invariant: violation.invariant, message: violation.message } }),
      faults: this.#schedule.realised,
      trace: this.#trace.hash,
      lines: this.#trace.lines,
      events: this.#loop.events,
      simulatedMs: this.#loop.nowMs,
      committed: this.#checks.committed.length - 1,
      answered: this.#oracle.answered,
      unknown: this.#oracle.unknown,
      leaders: this.#checks.leaders,
      installed: this.#installed,
      changed: this.#reference.changed,
    };
  }
}

function nodeConfigOf(config: SimConfig, at: number): NodeConfig {
  const join = at >= config.nodes;
  const members = join
    ? [addressOf(idOf(at))]
    : Array.from({ length: config.nodes }, (_, number) => addressOf(idOf(number)));
  const { tickMs, electionTicks, heartbeatTicks, proposalsMax, waitsMax } = config;
  return {
    ...{ id: idOf(at), clusterId: "sim", dataDir: "", members, tickMs, electionTicks, heartbeatTicks },
    ...{ requestTimeoutMs: config.requestTimeoutMs, leaderGraceMs: config.leaderGraceMs },
    ...{ proposalsMax, proposalBytesMax: 1 << 26, waitsMax, settings: config.settings, eventsMax: 100 },
    ...{ join, logTailBytes: config.logTailBytes, logSegmentBytes: 1 << 20, overlayBytesMax: 1 << 20, diskFreeMin: 0 },
    callback: {
      ...{ slots: 0, timeoutMs: 1_000, responseBytesMax: 1_000, allow: [], secrets: [] },
      backoffMs: { first: 10, max: 100, factor: 2, jitter: 0 },
    },
  };
}
