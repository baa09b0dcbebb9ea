/**
 * Who makes the faults: draws them, or takes them from a schedule, and carries them out.
 */
import type { NodeId } from "../raft/types.js";
import { addressOf } from "./address.js";
import type { Rate, SimConfig } from "./config.js";
import { rot, spoil, wipe } from "./damage.js";
import type { Loop } from "./loop.js";
import type { Network } from "./network.js";
import type { SimNode } from "./node.js";
import type { Operator } from "./operator.js";
import { Random, streamSeed } from "./random.js";
import type { Schedule, TimedFault } from "./schedule.js";
import type { Trace } from "./trace.js";

export interface Victims {
  readonly config: SimConfig;
  readonly loop: Loop;
  readonly trace: Trace;
  readonly network: Network;
  readonly nodes: readonly SimNode[];
  readonly schedule: Schedule;
  readonly operator: Operator;
}

export class Nemesis {
  readonly #victims: Victims;
  #stopped = false;
  /** Ends of faults that are still under way. */
  readonly #ends = new Set<() => void>();

  constructor(victims: Victims) {
    this.#victims = victims;
  }

  /** Begins, from now on. */
  start(): void {
    const { schedule, loop } = this.#victims;
    const given = schedule.timed;
    if (given === undefined) this.#drawAll();
    else for (const fault of given) loop.after(fault.atMs - loop.nowMs, () => this.#carryOut(fault));
  }

  /** No more faults, and those under way are over: nodes are started, links heal. */
  stop(): void {
    this.#stopped = true;
    this.#victims.operator.stop();
    for (const end of [...this.#ends]) end();
    this.#victims.network.calm();
    for (const { disk } of this.#victims.nodes) {
      disk.failsNext = undefined;
      disk.fullUntilMs = 0;
      disk.stalledUntilMs = 0;
    }
  }

  #drawAll(): void {
    const { config } = this.#victims;
    const { network, disk, crash, pause, clockStep } = config;
    this.#recur("crash", crash, (random, atMs) => ({
      ...{ kind: "crash", atMs, node: this.#pick(random), forMs: random.exponential(crash.forMs) },
      ...{ write: random.chance(0.5) ? "kept" : "lost", polite: random.chance(0.5) },
    }));
    this.#recur("pause", pause, (random, atMs) => ({
      ...{ kind: "pause", atMs, node: this.#pick(random), forMs: random.exponential(pause.forMs) },
    }));
    this.#recur("cut", network.partition, (random, atMs) => ({
      ...{ kind: "cut", atMs, links: this.#drawCut(random), forMs: random.exponential(network.partition.forMs) },
    }));
    this.#recur("clog", network.clog, (random, atMs) => ({
      ...{ kind: "clog", atMs, from: this.#pick(random), to: this.#pick(random) },
      forMs: random.exponential(network.clog.forMs),
    }));
    this.#recur("reset", network.reset, (random, atMs) => ({
      ...{ kind: "reset", atMs, from: this.#pick(random), to: this.#pick(random) },
    }));
    this.#recur("step", clockStep, (random, atMs) => ({
      ...{ kind: "step", atMs, node: this.#pick(random), byMs: Math.round(random.between(-1, 1) * clockStep.byMs) },
    }));
    this.#recur("stall", disk.stall, (random, atMs) => ({
      ...{ kind: "stall", atMs, node: this.#pick(random), forMs: random.exponential(disk.stall.forMs) },
    }));
    this.#recur("diskError", disk.error, (random, atMs) => ({
      ...{ kind: "diskError", atMs, node: this.#pick(random), landed: random.chance(0.5) },
      forMs: random.exponential(disk.error.forMs),
    }));
    this.#recur("diskFull", disk.full, (random, atMs) => ({
      ...{ kind: "diskFull", atMs, node: this.#pick(random), forMs: random.exponential(disk.full.forMs) },
    }));
    this.#recur("change", config.change, (random, atMs) => this.#drawChange(random, atMs));
    this.#recur("transfer", config.transfer, (random, atMs) => {
      if (random.chance(0.5)) this.#deafen(random);
      return { kind: "transfer", atMs, node: this.#any(random) };
    });
    this.#recur("rot", disk.rot, (random, atMs) => ({ kind: "rot", atMs, node: this.#pick(random) }));
    for (const kind of ["spoil", "wipe"] as const) {
      this.#recur(kind, disk[kind], (random, atMs) => ({
        ...{ kind, atMs, node: this.#pick(random), forMs: random.exponential(disk[kind].forMs) },
      }));
    }
  }

  /** Soon who leads hears nobody any more: it may have handed over, and does not learn who took it. */
  #deafen(random: Random): void {
    const { config, loop, nodes } = this.#victims;
    const forMs = random.exponential(config.electionTicks * config.tickMs);
    loop.after(random.exponential(5 * config.network.latencyMeanMs), () => {
      const leader = nodes.find(({ raft }) => raft?.role === "leader");
      if (leader === undefined) return;
      const others = nodes.filter((one) => one !== leader);
      const links = others.map(({ id }): [NodeId, NodeId] => [id, leader.id]);
      this.#carryOut({ kind: "cut", atMs: loop.nowMs, links, forMs });
    });
  }

  #recur(name: string, { everyMs }: Rate, draw: (random: Random, atMs: number) => TimedFault): void {
    if (everyMs === 0) return;
    const { config, loop } = this.#victims;
    const random = new Random(streamSeed(config.seed, name));
    const again = (): void => {
      loop.after(random.exponential(everyMs), () => {
        if (this.#stopped) return;
        this.#carryOut(draw(random, loop.nowMs));
        again();
      });
    };
    again();
  }

  #carryOut(fault: TimedFault): void {
    if (this.#stopped || !this.#perform(fault)) return;
    const { schedule, trace, loop } = this.#victims;
    schedule.record(fault);
    if (trace.isKept) trace.line(loop.nowMs, `fault ${JSON.stringify(fault)}`);
  }

  /** @returns false when it cannot be done */
  #perform(fault: TimedFault): boolean {
    const { network, loop } = this.#victims;
    switch (fault.kind) {
      case "crash":
        return this.#crash(fault);
      case "pause":
        return this.#pause(fault);
      case "cut":
        for (const [from, to] of fault.links) network.cut(from, to);
        this.#later(fault.forMs, () => {
          for (const [from, to] of fault.links) network.heal(from, to);
        });
        return fault.links.length > 0;
      case "clog":
        network.clog(fault.from, fault.to, loop.nowMs + fault.forMs);
        return true;
      case "reset":
        network.reset(fault.from, fault.to);
        return true;
      case "step":
        this.#node(fault.node).clock.step(fault.byMs);
        return true;
      case "stall":
        this.#node(fault.node).disk.stalledUntilMs = loop.nowMs + fault.forMs;
        return true;
      case "diskError":
      case "diskFull":
        return this.#failDisk(fault);
      case "rot":
        return rot(this.#node(fault.node), this.#victims.nodes);
      case "spoil":
        if (!spoil(this.#node(fault.node), this.#victims.nodes)) return false;
        this.#later(fault.forMs, () => this.#node(fault.node).start());
        return true;
      case "wipe":
        if (!wipe(this.#node(fault.node), this.#victims)) return false;
        this.#later(fault.forMs, () => this.#node(fault.node).start());
        return true;
      case "join":
        return this.#join(fault.node);
      case "remove":
      case "transfer":
        this.#victims.operator.request({ kind: fault.kind, id: fault.node });
        return true;
    }
  }

  #crash(fault: Extract<TimedFault, { kind: "crash" }>): boolean {
    const node = this.#node(fault.node);
    if (node.life === undefined) return false;
    node.crash(fault);
    this.#later(fault.forMs, () => node.start());
    return true;
  }

  #pause(fault: Extract<TimedFault, { kind: "pause" }>): boolean {
    const node = this.#node(fault.node);
    const { life } = node;
    if (life === undefined || node.isPaused) return false;
    node.pause();
    this.#later(fault.forMs, () => {
      if (node.life === life) node.resume();
    });
    return true;
  }

  #failDisk(fault: Extract<TimedFault, { kind: "diskError" | "diskFull" }>): boolean {
    const node = this.#node(fault.node);
    if (node.life === undefined) return false;
    if (fault.kind === "diskError") node.disk.failsNext = { landed: fault.landed };
    else node.disk.fullUntilMs = this.#victims.loop.nowMs + fault.forMs;
    // It ends by itself with its next write; whoever looks after it starts it again later.
    this.#later(fault.forMs, () => {
      node.disk.failsNext = undefined;
      node.start();
    });
    return true;
  }

  #join(id: NodeId): boolean {
    const node = this.#node(id);
    if (node.disk.isRemoved || node.disk.epoch > 0) return false;
    node.start();
    this.#victims.operator.request({ kind: "add", ...addressOf(id) });
    return true;
  }

  /** Nodes that are removed never come back, so some spare one joins for most of them. */
  #drawChange(random: Random, atMs: number): TimedFault {
    const { nodes, config } = this.#victims;
    const spare = nodes.find(({ number, disk }) => number >= config.nodes && disk.epoch === 0);
    const joins = random.chance(0.6);
    const any = this.#any(random);
    return spare !== undefined && joins ? { kind: "join", atMs, node: spare.id } : { kind: "remove", atMs, node: any };
  }

  #later(delayMs: number, end: () => void): void {
    const once = (): void => {
      if (this.#ends.delete(once)) end();
    };
    this.#ends.add(once);
    this.#victims.loop.after(delayMs, once);
  }

  #drawCut(random: Random): readonly (readonly [NodeId, NodeId])[] {
    const { nodes, config } = this.#victims;
    const { partitionMode, oneWay } = config.network;
    const ids = nodes.map(({ id }) => id);
    const one = this.#pick(random);
    const share = random.next();
    const away = new Set(
      partitionMode === "one" || partitionMode === "bridge"
        ? [one]
        : partitionMode === "size"
          ? ids.slice(0, 1 + Math.floor(share * (ids.length - 1)))
          : ids.filter(() => random.chance(share)),
    );
    const links: [NodeId, NodeId][] = [];
    for (const from of ids) {
      for (const to of ids) {
        if (from === to) continue;
        // A bridge sees everybody, the others see nobody but the bridge and some neighbours.
        const isCut =
          partitionMode === "bridge"
            ? !away.has(from) && !away.has(to) && from < to === share < 0.5
            : away.has(from) !== away.has(to) && (!oneWay || away.has(from) === share < 0.5);
        if (isCut) links.push([from, to]);
      }
    }
    if (partitionMode !== "bridge" || oneWay) return links;
    return [...links, ...links.map(([from, to]): [NodeId, NodeId] => [to, from])];
  }

  /** Whoever leads is hit as often as all the others together. */
  #pick(random: Random): NodeId {
    const { nodes } = this.#victims;
    const leads = random.chance(0.5);
    const any = random.any(nodes) as SimNode;
    const leader = leads ? nodes.find(({ raft }) => raft?.role === "leader") : undefined;
    return (leader ?? any).id;
  }

  #any(random: Random): NodeId {
    return (random.any(this.#victims.nodes) as SimNode).id;
  }

  #node(id: NodeId): SimNode {
    return this.#victims.nodes.find((node) => node.id === id) as SimNode;
  }
}
