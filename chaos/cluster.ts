/**
 * The nodes of a run: real processes on a network that can be broken, each started by itself so that it can be run under
 * whatever a fault needs.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { NodeOut } from "../api/contract.js";
import type { ClusterFile, ClusterMember } from "../scripts/cluster-file.js";
import { isReady, readCluster } from "../scripts/cluster-status.js";
import { apiOf, logTail, startNode, type NodeProcess } from "../scripts/node-process.js";
import type { Armed } from "./arming.js";
import type { Network, Place } from "./network.js";
import { foundDamage, type OwnEnd } from "./own-end.js";

export interface ChaosClusterOptions {
  readonly dir: string;
  readonly size: number;
  readonly network: Network;
  /** Of every node. */
  readonly flags: readonly string[];
  /** Of every node: the clock shim, for one. */
  readonly env: (id: string) => Readonly<Record<string, string>>;
}

interface Seat {
  readonly place: Place;
  process: NodeProcess | undefined;
  /** How its process ended, once it has. */
  end: string | undefined;
  /** Times it was started again to have its records from the others. */
  repairs: number;
  /** Its end was wanted. */
  stopped: boolean;
  /** For good: no member any more, or without its disk. */
  isGone: boolean;
}

const entry = fileURLToPath(new URL("dist/chaos/node.js", rootUrl()));
const stepMs = 50;
const revivalsMax = 3;
const repairsMax = 20;
const armMsMax = 3000;
/** Longer than an election; another fault may have taken the majority away. */
const leaderlessMsMax = 10_000;
/** Of a node, in the best case; the machine may be busy. */
export const startMsMax = 120_000;

export class ChaosCluster {
  readonly network: Network;
  readonly dir: string;
  readonly #options: ChaosClusterOptions;
  readonly #seats = new Map<string, Seat>();
  #idsGiven = 0;
  #ownEnds: OwnEnd[] = [];
  /** As seen last. */
  #led = "";
  readonly #identity = {
    clusterId: `chaos-${randomBytes(6).toString("hex")}`,
    webhookSecret: `whsec_${randomBytes(32).toString("base64")}`,
  };

  /** Starts all nodes and waits until they serve. @throws Error with the end of the log of one that does not */
  static async open(options: ChaosClusterOptions): Promise<ChaosCluster> {
    const cluster = new ChaosCluster(options);
    try {
      for (let n = 0; n < options.size; n++) await cluster.#seatNext();
      await cluster.startAll();
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  private constructor(options: ChaosClusterOptions) {
    this.#options = options;
    this.network = options.network;
    this.dir = options.dir;
    mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  }

  /** Of those that belong to it now. */
  get ids(): readonly string[] {
    return this.#present().map(({ place }) => place.member.id);
  }

  /** Base URLs for clients. */
  apis(): readonly string[] {
    return this.#present().map(({ place }) => place.clientApi);
  }

  /** Base URLs of the nodes themselves, past everything that is broken, for operators. */
  directApis(): readonly string[] {
    return this.#present().map(({ place }) => apiOf(place.member));
  }

  /** A seat for one more node, which joins when it is started. */
  async seatJoining(): Promise<ClusterMember> {
    return this.#seatNext({ joined: true });
  }

  /** Whatever is asked of the node from now on does nothing: its process ends, and faults that had it need not care. */
  async retire(id: string): Promise<void> {
    this.#seat(id).isGone = true;
    await this.stop(id);
  }

  /** Nodes that ended by themselves since this was asked last. */
  takeOwnEnds(): readonly OwnEnd[] {
    return this.#ownEnds.splice(0);
  }

  /** Base URL of the node itself, past everything that is broken, for whoever watches. */
  apiOf(id: string): string {
    return this.#running(id).api;
  }

  dataDir(id: string): string {
    return join(this.dir, id);
  }

  isUp(id: string): boolean {
    const { process, end } = this.#seat(id);
    return process !== undefined && end === undefined;
  }

  /** How the last process of the node ended; undefined while it runs. */
  endOf(id: string): string | undefined {
    return this.#seat(id).end;
  }

  pid(id: string): number {
    return this.#running(id).pid;
  }

  /** Starts the node if it is down; does not wait. */
  launch(id: string): void {
    const seat = this.#seat(id);
    if (seat.isGone || this.isUp(id)) return;
    const { place } = seat;
    const file: ClusterFile = {
      ...this.#identity,
      members: [...this.#seats.values()].map(({ place }) => place.member),
    };
    const { network, flags, env } = this.#options;
    const process_ = startNode(
      this.dir,
      file,
      place.member,
      ["--callback-allow", network.callbackAllow, ...place.flags, ...flags],
      { command: [...place.prefix, process.execPath, entry], env: env(id) },
    );
    Object.assign(seat, { process: process_, end: undefined, stopped: false });
    void process_.ended.then((how) => {
      if (seat.process !== process_) return;
      seat.end = how;
      if (seat.stopped) return;
      const end = { id, how, said: logTail(process_, 1) };
      this.#ownEnds.push(end);
      // As whatever watches over processes would. Damage may be read long after it was done.
      if (foundDamage(end) && seat.repairs++ < repairsMax) this.launch(id);
    });
  }

  /** Starts the node and waits until it serves. @throws Error when it does not within two minutes */
  async start(id: string): Promise<void> {
    this.launch(id);
    await this.untilReady(id);
  }

  /**
   * As {@link start}, for a node that a fault may still end a moment after it is over: it is started again then.
   * @throws Error when it keeps ending
   */
  async revive(id: string): Promise<void> {
    for (let left = revivalsMax; ; left--) {
      try {
        return await this.start(id);
      } catch (error) {
        if (this.isUp(id) || left === 0) throw error;
      }
    }
  }

  async startAll(): Promise<void> {
    for (const id of this.ids) this.launch(id);
    await Promise.all(this.ids.map((id) => this.untilReady(id)));
  }

  /** @throws Error when the node ends, or does not serve in time */
  async untilReady(id: string, withinMs = startMsMax): Promise<void> {
    const node = this.#running(id);
    const endMs = performance.now() + withinMs;
    while (!this.#seat(id).isGone && !(await isReady(node.api))) {
      const end = this.endOf(id);
      if (end !== undefined || performance.now() > endMs)
        throw new Error(`${id} ${end ?? "is not ready in time"}; the end of its log:\n${logTail(node)}`);
      await pause(stepMs);
    }
  }

  isReady(id: string): Promise<boolean> {
    return isReady(this.apiOf(id));
  }

  /** The last message of the node's log. */
  lastWords(id: string): string {
    const last = logTail(this.#running(id), 1);
    return /"(?:err|error)":\{[^}]*"message":"([^"]*)"/.exec(last)?.[1] ?? last;
  }

  /** SIGTERM, as an operator would. */
  async stop(id: string): Promise<void> {
    const seat = this.#seat(id);
    seat.stopped = true;
    await seat.process?.stop();
  }

  /** For SIGKILL resolves when the process is gone. */
  async signal(id: string, signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): Promise<void> {
    if (!this.isUp(id)) return;
    const node = this.#running(id);
    if (signal === "SIGKILL") this.#seat(id).stopped = true;
    process.kill(node.pid, signal);
    if (signal === "SIGKILL") await node.ended;
  }

  /**
   * Has one of the node's failpoints do something, and the others nothing; null: none of them. Resolves when the node has
   * done so, or is gone, or is stopped for longer.
   */
  async arm(id: string, armed: Armed | null): Promise<void> {
    if (this.isUp(id)) await Promise.race([this.#running(id).ask({ arm: armed }), pause(armMsMax)]);
  }

  /** What the node says of itself; undefined when it does not answer. */
  async status(id: string): Promise<NodeOut | undefined> {
    if (!this.isUp(id)) return undefined;
    return (await readCluster(this.apiOf(id)))?.find(({ ID }) => ID === id);
  }

  async statuses(): Promise<readonly NodeOut[]> {
    const all = await Promise.all(this.ids.map((id) => this.status(id)));
    return all.filter((one) => one !== undefined);
  }

  /** The node that says that it leads, of the latest term; where nobody does for a while, the one that did last. */
  async leader(): Promise<string> {
    const endMs = performance.now() + leaderlessMsMax;
    for (;;) {
      const leaders = (await this.statuses()).filter(({ Role }) => Role === "leader");
      const latest = leaders.sort((a, b) => b.Term - a.Term)[0];
      if (latest !== undefined) return (this.#led = latest.ID);
      if (performance.now() > endMs) return this.ids.find((id) => id === this.#led) ?? this.ids[0] ?? "";
      await pause(stepMs);
    }
  }

  /** Ends every node; the data stays. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.#seats].map(async ([id, { process }]) => {
        await this.signal(id, "SIGCONT");
        if (process !== undefined) await this.stop(id);
      }),
    );
  }

  async #seatNext(also: { joined?: true } = {}): Promise<ClusterMember> {
    const id = `n${++this.#idsGiven}`;
    const found = await this.#options.network.place(id);
    const place = { ...found, member: { ...found.member, ...also } };
    this.#seats.set(id, { place, process: undefined, end: undefined, repairs: 0, stopped: false, isGone: false });
    return place.member;
  }

  #present(): readonly Seat[] {
    return [...this.#seats.values()].filter(({ isGone }) => !isGone);
  }

  #seat(id: string): Seat {
    const seat = this.#seats.get(id);
    if (seat === undefined) throw new Error(`there is no node ${id}`);
    return seat;
  }

  #running(id: string): NodeProcess {
    const { process } = this.#seat(id);
    if (process === undefined) throw new Error(`${id} was never started`);
    return process;
  }
}

function rootUrl(): URL {
  return new URL(import.meta.url.includes("/dist/") ? "../../" : "../", import.meta.url);
}
