/**
 * The node that `api/` holds on to: whichever {@link Member} runs now. When a snapshot is to be installed the member is
 * closed, as at a shutdown, and opened again in its place, which finishes the installation.
 *
 * In between, and as long as the records are missing, requests are refused: other nodes serve them.
 */
import { SlctError } from "../src/errors.js";
import type { Member } from "./node.js";
import type { NodeConfig } from "./node-config.js";
import type { NodeHooks } from "./parts.js";
import { openPeers } from "./peers.js";
import { openNode, type OpenLinks } from "./start.js";
import type { Committed, Event, Node, Waited } from "./types.js";

type Arguments<K extends keyof Node> = Node[K] extends (...args: infer A) => unknown ? A : never;

export class Seat implements Node {
  readonly id: string;
  readonly #open: () => Promise<Member>;
  readonly #hooks: NodeHooks;
  #member: Member | undefined;
  /** Of the last member. */
  #appliedIndex = 0;
  #opening: Promise<void> = Promise.resolve();
  #closing = false;

  /** @throws Error as {@link openNode} */
  static async open(config: NodeConfig, hooks: Omit<NodeHooks, "onRestart">, openLinks?: OpenLinks): Promise<Seat> {
    const seat = new Seat(config, hooks, openLinks ?? openPeers);
    seat.#member = await seat.#open();
    return seat;
  }

  private constructor(config: NodeConfig, hooks: NodeHooks, openLinks: OpenLinks) {
    this.id = config.id;
    this.#hooks = hooks;
    this.#open = () => openNode(config, { ...hooks, onRestart: () => this.#restart() }, openLinks);
  }

  /** Absent while one takes the place of another. */
  get member(): Member | undefined {
    return this.#member;
  }

  get appliedIndex(): number {
    return this.#member?.appliedIndex ?? this.#appliedIndex;
  }

  async submit(...args: Arguments<"submit">): Promise<Committed> {
    return this.#serving().submit(...args);
  }

  async submitAndWait(...args: Arguments<"submitAndWait">): Promise<Waited> {
    return this.#serving().submitAndWait(...args);
  }

  async fresh(...args: Arguments<"fresh">): Promise<void> {
    return this.#serving().fresh(...args);
  }

  async state(...args: Arguments<"state">): ReturnType<Node["state"]> {
    return this.#serving().state(...args);
  }

  async chan(...args: Arguments<"chan">): ReturnType<Node["chan"]> {
    return this.#serving().chan(...args);
  }

  async states(...args: Arguments<"states">): ReturnType<Node["states"]> {
    return this.#serving().states(...args);
  }

  async chans(...args: Arguments<"chans">): ReturnType<Node["chans"]> {
    return this.#serving().chans(...args);
  }

  async watch(...args: Arguments<"watch">): Promise<void> {
    return this.#serving().watch(...args);
  }

  async events(...args: Arguments<"events">): Promise<readonly Event[]> {
    return this.#serving().events(...args);
  }

  async cluster(): ReturnType<Node["cluster"]> {
    return this.#present().cluster();
  }

  async change(...args: Arguments<"change">): ReturnType<Node["change"]> {
    return this.#present().change(...args);
  }

  async backup(): ReturnType<Node["backup"]> {
    return this.#serving().backup();
  }

  ready(): boolean {
    return this.#member !== undefined && !this.#member.needsSnapshot && this.#member.ready();
  }

  async metrics(): Promise<string> {
    return this.#present().metrics();
  }

  /** As {@link Member.handOver}. */
  async handOver(): Promise<void> {
    await this.#member?.handOver();
  }

  /** As {@link Member.drain}. */
  drain(): void {
    this.#closing = true;
    this.#member?.drain();
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#opening;
    await this.#member?.close();
  }

  #restart(): void {
    const member = this.#member;
    if (member === undefined || this.#closing) return;
    this.#appliedIndex = member.appliedIndex;
    this.#member = undefined;
    this.#opening = this.#replace(member).catch(this.#hooks.onFatal);
  }

  async #replace(member: Member): Promise<void> {
    await member.close();
    // A process that is to end leaves the installation to the next one.
    if (this.#closing) return;
    this.#member = await this.#open();
    if (this.#closing) this.#member.drain();
  }

  #present(): Member {
    if (this.#member === undefined) throw refusal();
    return this.#member;
  }

  #serving(): Member {
    const member = this.#present();
    if (member.needsSnapshot) throw refusal();
    return member;
  }
}

function refusal(): SlctError {
  return new SlctError("no_leader", "this node is taking over the records of another one; nothing was done");
}
