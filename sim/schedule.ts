/**
 * Faults as data: what a run did to its cluster, complete enough to do exactly that again, or a part of it.
 *
 * A run without a schedule draws faults and writes down each one that it carries out; a run with one carries out those on
 * it and draws none. Each is complete in itself (a crash knows when the node comes back), so any subset makes sense.
 */
import type { NodeId } from "../raft/types.js";

export type Fault =
  | {
      readonly kind: "crash";
      readonly atMs: number;
      readonly node: NodeId;
      readonly forMs: number;
      /** What is under way at that moment reaches the disk, or does not. */
      readonly write: "kept" | "lost";
      /** Its kernel lives on: what it had sent is delivered, and its peers learn at once that it is gone. */
      readonly polite: boolean;
    }
  | { readonly kind: "pause"; readonly atMs: number; readonly node: NodeId; readonly forMs: number }
  /** Nothing passes in these directions. */
  | {
      readonly kind: "cut";
      readonly atMs: number;
      readonly links: readonly (readonly [from: NodeId, to: NodeId])[];
      readonly forMs: number;
    }
  | {
      readonly kind: "clog";
      readonly atMs: number;
      readonly from: NodeId;
      readonly to: NodeId;
      readonly forMs: number;
    }
  /** Both connections in one direction break. */
  | { readonly kind: "reset"; readonly atMs: number; readonly from: NodeId; readonly to: NodeId }
  | { readonly kind: "step"; readonly atMs: number; readonly node: NodeId; readonly byMs: number }
  /** Writes take that much longer. */
  | { readonly kind: "stall"; readonly atMs: number; readonly node: NodeId; readonly forMs: number }
  /** The next write fails, and may be there nevertheless after the restart. */
  | {
      readonly kind: "diskError";
      readonly atMs: number;
      readonly node: NodeId;
      readonly landed: boolean;
      readonly forMs: number;
    }
  /** Every write fails until then, and nothing of it is there. */
  | { readonly kind: "diskFull"; readonly atMs: number; readonly node: NodeId; readonly forMs: number }
  /** A log record of this node is not what was written. It finds that when it starts, at the latest. */
  | { readonly kind: "rot"; readonly atMs: number; readonly node: NodeId }
  /** The applied records of this node turn out to be damaged: it ends, and comes back without them. */
  | { readonly kind: "spoil"; readonly atMs: number; readonly node: NodeId; readonly forMs: number }
  /** The directory of this node is emptied, and it comes back under its old id. */
  | { readonly kind: "wipe"; readonly atMs: number; readonly node: NodeId; readonly forMs: number }
  /** A node with an empty disk starts, and is to become a member; a node is to leave; a node is to lead. */
  | { readonly kind: "join" | "remove" | "transfer"; readonly atMs: number; readonly node: NodeId }
  /** The `number`-th Raft message on a link is lost; comes once more later. */
  | { readonly kind: "drop"; readonly link: number; readonly number: number }
  | { readonly kind: "replay"; readonly link: number; readonly number: number; readonly afterMs: number }
  /** The `number`-th pass of a site. */
  | { readonly kind: "buggify"; readonly site: string; readonly number: number };

/** Those that happen at a time, and not to a message or at a site. */
export type TimedFault = Extract<Fault, { readonly atMs: number }>;

/** Which faults to carry out, or to draw; and what was carried out. */
export class Schedule {
  /** In the order in which they happened. */
  readonly realised: Fault[] = [];
  readonly #given: readonly Fault[] | undefined;
  readonly #drops = new Set<string>();
  readonly #replays = new Map<string, number>();
  readonly #sites = new Set<string>();

  constructor(given: readonly Fault[] | undefined) {
    this.#given = given;
    for (const fault of given ?? []) {
      if (fault.kind === "drop") this.#drops.add(`${fault.link} ${fault.number}`);
      else if (fault.kind === "replay") this.#replays.set(`${fault.link} ${fault.number}`, fault.afterMs);
      else if (fault.kind === "buggify") this.#sites.add(`${fault.site} ${fault.number}`);
    }
  }

  /** Undefined: they are drawn. */
  get timed(): readonly TimedFault[] | undefined {
    return this.#given?.filter((fault): fault is TimedFault => "atMs" in fault);
  }

  record(fault: Fault): void {
    this.realised.push(fault);
  }

  /** @param drawn what a run without a schedule does */
  drops(link: number, number: number, drawn: () => boolean): boolean {
    const happens = this.#given === undefined ? drawn() : this.#drops.has(`${link} ${number}`);
    if (happens) this.record({ kind: "drop", link, number });
    return happens;
  }

  replays(link: number, number: number, drawn: () => number | undefined): number | undefined {
    const afterMs = this.#given === undefined ? drawn() : this.#replays.get(`${link} ${number}`);
    if (afterMs !== undefined) this.record({ kind: "replay", link, number, afterMs });
    return afterMs;
  }

  fires(site: string, number: number, drawn: () => boolean): boolean {
    const happens = this.#given === undefined ? drawn() : this.#sites.has(`${site} ${number}`);
    if (happens) this.record({ kind: "buggify", site, number });
    return happens;
  }
}
