/**
 * The states that wait to be handed out, in memory: oldest first, among all or under any ID prefix, in O(log n).
 *
 * A treap ordered by ID whose nodes know the oldest state of their subtree. Its shape depends on a local generator, what
 * it answers does not. Rebuilt at start from the `p` records.
 * Source: Seidel and Aragon, "Randomized search trees".
 */

import type { StateId } from "./types.js";

interface Waiting {
  readonly id: StateId;
  readonly seq: number;
}

interface Node {
  readonly own: Waiting;
  readonly priority: number;
  left: Node | undefined;
  right: Node | undefined;
  /** Of this subtree. */
  oldest: Waiting;
}

class Treap {
  #root: Node | undefined;
  #size = 0;
  #random = 0x9e3779b9;

  get size(): number {
    return this.#size;
  }

  add(id: StateId, seq: number): void {
    const own = { id, seq };
    const node: Node = { own, priority: this.#draw(), left: undefined, right: undefined, oldest: own };
    const [left, right] = split(this.#root, id);
    this.#root = merge(merge(left, node), right);
    this.#size += 1;
  }

  /** @returns whether it was there */
  remove(id: StateId): boolean {
    const removed = { found: false };
    this.#root = without(this.#root, id, removed);
    if (removed.found) this.#size -= 1;
    return removed.found;
  }

  oldest(prefix: string): StateId | undefined {
    let node = this.#root;
    while (node && !node.own.id.startsWith(prefix)) node = node.own.id < prefix ? node.right : node.left;
    if (!node) return undefined;
    if (prefix === "") return node.oldest.id;
    // Below the topmost hit, whatever lies between it and the edge of the range belongs to the range.
    let oldest = node.own;
    for (let one = node.left; one;) {
      const hit = one.own.id.startsWith(prefix);
      if (hit) oldest = older(older(oldest, one.own), one.right?.oldest);
      one = hit ? one.left : one.right;
    }
    for (let one = node.right; one;) {
      const hit = one.own.id.startsWith(prefix);
      if (hit) oldest = older(older(oldest, one.own), one.left?.oldest);
      one = hit ? one.right : one.left;
    }
    return oldest.id;
  }

  /** xorshift32 */
  #draw(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (this.#random = x);
  }
}

function older(one: Waiting, other: Waiting | undefined): Waiting {
  return other !== undefined && other.seq < one.seq ? other : one;
}

function renew(node: Node): Node {
  node.oldest = older(older(node.own, node.left?.oldest), node.right?.oldest);
  return node;
}

/** Nodes before `id`, and the others. */
function split(node: Node | undefined, id: StateId): [Node | undefined, Node | undefined] {
  if (!node) return [undefined, undefined];
  if (node.own.id < id) {
    const [left, right] = split(node.right, id);
    node.right = left;
    return [renew(node), right];
  }
  const [left, right] = split(node.left, id);
  node.left = right;
  return [left, renew(node)];
}

/** All IDs of `left` come before those of `right`. */
function merge(left: Node | undefined, right: Node | undefined): Node | undefined {
  if (!left || !right) return left ?? right;
  if (left.priority > right.priority) {
    left.right = merge(left.right, right);
    return renew(left);
  }
  right.left = merge(left, right.left);
  return renew(right);
}

function without(node: Node | undefined, id: StateId, removed: { found: boolean }): Node | undefined {
  if (!node) return undefined;
  if (node.own.id === id) {
    removed.found = true;
    return merge(node.left, node.right);
  }
  if (id < node.own.id) node.left = without(node.left, id, removed);
  else node.right = without(node.right, id, removed);
  return renew(node);
}

/** Which of the two queues a state waits in. */
export type Taker = "poll" | "callback";

/** The record `p` of a state that waits. */
export interface PendingRecord {
  readonly id: StateId;
  readonly taker: Taker;
}

export class PendingStates {
  readonly #polled = new Treap();
  readonly #called = new Treap();

  get size(): number {
    return this.#polled.size + this.#called.size;
  }

  add(taker: Taker, id: StateId, seq: number): void {
    this.#queue(taker).add(id, seq);
  }

  remove(id: StateId): void {
    if (!this.#polled.remove(id)) this.#called.remove(id);
  }

  /** Removes and returns the oldest one whose ID starts with `prefix`. */
  take(taker: Taker, prefix: string): StateId | undefined {
    const queue = this.#queue(taker);
    const id = queue.oldest(prefix);
    if (id !== undefined) queue.remove(id);
    return id;
  }

  #queue(taker: Taker): Treap {
    return taker === "poll" ? this.#polled : this.#called;
  }
}
