/**
 * What is parked for requests, in memory: who takes a state that becomes pending, and what hangs on a {@link Ref}.
 *
 * Rebuilt at start from the `q` records. Matching looks at one queue per distinct prefix length and at the head of each.
 */

import type { Demand, Ref, State, StateId } from "./types.js";

/** A demand in its queue. */
export interface Parked {
  demand: Demand;
  /** Slots not yet granted in this entry. */
  left: number;
  readonly queue: Queue | undefined;
  prev: Parked | undefined;
  next: Parked | undefined;
  queued: boolean;
}

interface Queue {
  head: Parked | undefined;
  tail: Parked | undefined;
}

export class Demands {
  readonly #parked = new Map<number, Parked>();
  readonly #callbacks: Queue = { head: undefined, tail: undefined };
  readonly #polls = new Map<string, Queue>();
  /** How many prefixes there are of each length. */
  readonly #prefixLengths = new Map<number, number>();
  readonly #states = new Map<StateId, Queue>();
  /** Per node and epoch: what is parked for a ref, by its seq. */
  readonly #owners = new Map<string, { readonly node: string; epoch: number; refs: Map<number, number> }>();
  #selects = 0;

  /** Demands for states; plain requests are not counted. */
  get size(): number {
    return this.#parked.size - this.#selects;
  }

  get(seq: number): Parked | undefined {
    return this.#parked.get(seq);
  }

  /** Demands come in the order of their seq. */
  add(demand: Demand): void {
    const queue = this.#openQueue(demand);
    const parked: Parked = { demand, left: demand.slots, queue, prev: queue?.tail, next: undefined, queued: true };
    if (queue) {
      if (queue.tail) queue.tail.next = parked;
      else queue.head = parked;
      queue.tail = parked;
    }
    this.#parked.set(demand.seq, parked);
    if (demand.kind === "select") this.#selects += 1;
    for (const ref of demand.holders) this.#own(ref, demand.seq);
  }

  remove(seq: number): void {
    const parked = this.#parked.get(seq);
    if (!parked) return;
    this.spend(parked);
    this.#parked.delete(seq);
    if (parked.demand.kind === "select") this.#selects -= 1;
    for (const ref of parked.demand.holders) this.#disown(ref);
  }

  /** The same demand with other holders or slots. */
  replace(demand: Demand): void {
    const parked = this.#parked.get(demand.seq);
    if (!parked) return;
    for (const ref of parked.demand.holders) this.#disown(ref);
    for (const ref of demand.holders) this.#own(ref, demand.seq);
    parked.demand = demand;
    parked.left = demand.slots;
  }

  /** The oldest demand that takes this pending state. */
  match(state: { readonly id: StateId; readonly callback?: State["callback"] | undefined }): Parked | undefined {
    if (state.callback) return this.#callbacks.head;
    let oldest = this.#states.get(state.id)?.head;
    for (const length of this.#prefixLengths.keys()) {
      if (length > state.id.length) continue;
      const head = this.#polls.get(state.id.slice(0, length))?.head;
      if (head && (oldest === undefined || head.demand.seq < oldest.demand.seq)) oldest = head;
    }
    return oldest;
  }

  /** Demands of kind `state` on one state, oldest first. */
  onState(id: StateId): number[] {
    const seqs: number[] = [];
    for (let one = this.#states.get(id)?.head; one; one = one.next) seqs.push(one.demand.seq);
    return seqs;
  }

  /** The demand behind which `ref` waits. */
  ofRef(ref: Ref): number | undefined {
    return this.#owners.get(ownerOf(ref))?.refs.get(ref.seq);
  }

  /** Refs of `node` from before `epoch`, oldest epoch first. */
  refsBefore(node: string, epoch: number): Ref[] {
    return [...this.#owners.values()]
      .filter((owner) => owner.node === node && owner.epoch < epoch)
      .sort((a, b) => a.epoch - b.epoch)
      .flatMap((owner) =>
        [...owner.refs.keys()].sort((a, b) => a - b).map((seq) => ({ node, epoch: owner.epoch, seq })),
      );
  }

  /** Takes a demand out of its queue: it has got all that it can take. */
  spend(parked: Parked): void {
    const { queue, prev, next } = parked;
    if (!queue || !parked.queued) return;
    parked.queued = false;
    if (prev) prev.next = next;
    else queue.head = next;
    if (next) next.prev = prev;
    else queue.tail = prev;
    if (queue.head === undefined) this.#closeQueue(parked.demand);
  }

  #openQueue({ kind, match }: Demand): Queue | undefined {
    if (kind === "select") return undefined;
    if (kind === "callback") return this.#callbacks;
    const queues = kind === "poll" ? this.#polls : this.#states;
    const known = queues.get(match);
    if (known) return known;
    const queue: Queue = { head: undefined, tail: undefined };
    queues.set(match, queue);
    if (kind === "poll") this.#prefixLengths.set(match.length, (this.#prefixLengths.get(match.length) ?? 0) + 1);
    return queue;
  }

  #closeQueue({ kind, match }: Demand): void {
    if (kind === "state") this.#states.delete(match);
    if (kind !== "poll") return;
    this.#polls.delete(match);
    const others = (this.#prefixLengths.get(match.length) ?? 0) - 1;
    if (others > 0) this.#prefixLengths.set(match.length, others);
    else this.#prefixLengths.delete(match.length);
  }

  #own(ref: Ref, seq: number): void {
    const key = ownerOf(ref);
    let owner = this.#owners.get(key);
    if (!owner) this.#owners.set(key, (owner = { node: ref.node, epoch: ref.epoch, refs: new Map() }));
    owner.refs.set(ref.seq, seq);
  }

  #disown(ref: Ref): void {
    const key = ownerOf(ref);
    const refs = this.#owners.get(key)?.refs;
    refs?.delete(ref.seq);
    if (refs?.size === 0) this.#owners.delete(key);
  }
}

function ownerOf({ node, epoch }: Ref): string {
  return `${epoch} ${node}`;
}
