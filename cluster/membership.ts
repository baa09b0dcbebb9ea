/**
 * Requests that change who is in the cluster or who leads it: taken by any node, carried out by the leader.
 *
 * Each can be repeated: to add a member that is there, to remove one that was removed and to transfer to the leader
 * change nothing and succeed. So a request whose answer is lost is simply asked again, at whoever leads by then, until
 * its deadline; the leader joins repetitions of what is under way.
 */
import { SlctError, type ErrorCode } from "../src/errors.js";
import type { Raft } from "../raft/raft.js";
import type { Index, MemberChange, MemberChanged, NodeId, Term } from "../raft/types.js";
import { pause, type Time } from "./environment.js";
import { quorumSize } from "../raft/quorum.js";
import type { Frame, Member } from "./types.js";

export type MembershipRequest =
  | ({ readonly kind: "add" } & Member)
  | { readonly kind: "remove"; readonly id: NodeId }
  | { readonly kind: "transfer"; readonly id: NodeId };

export type MembershipAnswer =
  /** `changed` false: it was so before. */
  | { readonly ok: true; readonly index: Index; readonly changed: boolean }
  /** `again`: not now or not here, and asking once more does no harm. */
  | { readonly ok: false; readonly code: "again" | RefusalCode; readonly message: string };

export const refusalCodes = ["exists", "not_found", "busy", "not_ready", "too_many"] as const satisfies ErrorCode[];
type RefusalCode = (typeof refusalCodes)[number];

export interface MembershipOptions {
  readonly self: NodeId;
  readonly raft: Raft;
  readonly applied: () => Index;
  readonly time: Time;
  readonly timeoutMs: number;
  readonly send: (to: NodeId, frame: Frame) => void;
  /** Raft has something to do. */
  readonly wake: () => void;
}

/** Requests of this node under way. */
const requestsMax = 64;
const retryMs = 50;
/** Without an answer for so long it may be lost. */
const askMs = 1000;
/** Leadership is handed over on shutdown within this time, or not. */
const handOverMs = 1000;

const again: MembershipAnswer = { ok: false, code: "again", message: "the outcome is not known" };

interface Change {
  readonly index: Index;
  readonly term: Term;
  readonly end: (answer: MembershipAnswer) => void;
}

interface Transfer {
  readonly to: NodeId;
  readonly end: (answer: MembershipAnswer) => void;
}

export class Membership {
  readonly #options: MembershipOptions;
  /** Asked of the leader, by number. */
  readonly #asked = new Map<number, { readonly of: NodeId; readonly end: (answer: MembershipAnswer) => void }>();
  #number = 0;
  /** Leader: what is being carried out, by request. */
  readonly #underWay = new Map<string, Promise<MembershipAnswer>>();
  #changes: Change[] = [];
  #transfer: Transfer | undefined;
  #requests = 0;
  #closed = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** @throws SlctError of {@link refusalCodes}; `no_leader`: nothing was done; `timeout`: it may still be; `overloaded` */
  async request(request: MembershipRequest): Promise<{ readonly index: Index; readonly changed: boolean }> {
    if (this.#requests >= requestsMax) throw new SlctError("overloaded", "too many changes are asked for at once");
    this.#requests++;
    try {
      return await this.#request(request);
    } finally {
      this.#requests--;
    }
  }

  async #request(request: MembershipRequest): Promise<Extract<MembershipAnswer, { ok: true }>> {
    const { raft, self, time, timeoutMs } = this.#options;
    const endMs = time.nowMs() + timeoutMs;
    let asked = false;
    while (!this.#closed && time.nowMs() < endMs) {
      const { leader } = raft;
      asked ||= leader !== null;
      const waitMs = Math.min(askMs, endMs - time.nowMs());
      const answer =
        leader === null
          ? again
          : leader === self
            ? await this.#within(this.#lead(request), waitMs)
            : await this.#ask(leader, request, waitMs);
      if (answer.ok) return answer;
      if (answer.code !== "again") throw new SlctError(answer.code, answer.message);
      await pause(time, retryMs);
    }
    if (asked) throw new SlctError("timeout", "not answered in time; it may still be carried out");
    throw new SlctError("no_leader", "no leader is reachable; nothing was done");
  }

  /** Before this node ends: lets the voter that is furthest lead, if there is one. Bounded. */
  async handOver(): Promise<void> {
    const { raft, self, time } = this.#options;
    const endMs = time.nowMs() + handOverMs;
    const { progress, configuration } = raft.status();
    const able = configuration.members
      .filter(({ id, voter }) => voter && id !== self && progress[id]?.heard === "yes")
      .sort((a, b) => (progress[b.id]?.matchIndex ?? 0) - (progress[a.id]?.matchIndex ?? 0));
    for (const { id } of able) {
      if (raft.role !== "leader" || time.nowMs() >= endMs) return;
      const answer = await this.#within(this.#lead({ kind: "transfer", id }), endMs - time.nowMs());
      if (answer.ok) return;
    }
  }

  // -------------------------------------------------------------------------------------------------- what comes in

  onAsk(from: NodeId, number: number, request: MembershipRequest): void {
    const answered = this.#options.raft.role === "leader" ? this.#lead(request) : Promise.resolve(again);
    void answered.then((answer) => this.#options.send(from, { kind: "told", number, answer }));
  }

  /** Who is asked may be a member no longer when it answers. */
  onTold(from: NodeId, number: number, answer: MembershipAnswer): void {
    const asked = this.#asked.get(number);
    if (asked?.of === from) asked.end(answer);
  }

  /** A configuration was applied here. */
  onConfiguration({ index, term }: { readonly index: Index; readonly term: Term }): void {
    for (const change of this.#changes)
      if (change.index === index) change.end(change.term === term ? { ok: true, index, changed: true } : again);
    this.#changes = this.#changes.filter((change) => change.index !== index);
  }

  /** Called in every turn and with every tick. */
  observe(): void {
    const appliedIndex = this.#options.applied();
    // Something else stands where the change was to be.
    for (const change of this.#changes) if (change.index <= appliedIndex) change.end(again);
    this.#changes = this.#changes.filter((change) => change.index > appliedIndex);
    if (this.#transfer !== undefined) this.#observeTransfer(this.#transfer);
  }

  close(): void {
    this.#closed = true;
    for (const { end } of this.#asked.values()) end(again);
    for (const { end } of this.#changes.splice(0)) end(again);
    this.#transfer?.end(again);
  }

  // --------------------------------------------------------------------------------------------------- at the leader

  #lead(request: MembershipRequest): Promise<MembershipAnswer> {
    const key = JSON.stringify(request);
    const begun = this.#underWay.get(key);
    if (begun !== undefined) return begun;
    const answer = (request.kind === "transfer" ? this.#beginTransfer(request.id) : this.#beginChange(request)).finally(
      () => this.#underWay.delete(key),
    );
    this.#underWay.set(key, answer);
    return answer;
  }

  #beginChange(request: Exclude<MembershipRequest, { kind: "transfer" }>): Promise<MembershipAnswer> {
    const { raft, applied, wake } = this.#options;
    if (isDone(raft, request))
      return Promise.resolve(raft.status().changing ? again : { ok: true, index: applied(), changed: false });
    const left = request.kind === "remove" ? majorityWithout(raft, request.id) : "yes";
    if (left === "not_yet") return Promise.resolve(again);
    if (left === "no") {
      const message = `without ${request.id} no majority of the voters would be reachable: remove those that are silent first`;
      return Promise.resolve({ ok: false, code: "not_ready", message });
    }
    const begun = raft.changeMembers(changeOf(request), raft.term);
    if (!begun.ok) return Promise.resolve(refusalOf(begun.reason, request.id));
    wake();
    return new Promise((end) => this.#changes.push({ index: begun.index, term: begun.term, end }));
  }

  #beginTransfer(to: NodeId): Promise<MembershipAnswer> {
    const { raft, self, applied, wake } = this.#options;
    if (to === self) return Promise.resolve({ ok: true, index: applied(), changed: false });
    const begun = raft.transferTo(to);
    if (!begun.ok) return Promise.resolve(refusalOf(begun.reason, to));
    wake();
    this.#transfer?.end({ ok: false, code: "busy", message: `another transfer, to ${to}, took its place` });
    return new Promise((end) => (this.#transfer = { to, end }));
  }

  #observeTransfer({ to, end }: Transfer): void {
    const { raft, self, applied } = this.#options;
    const { role, leader } = raft;
    const isOver = role === "leader" ? raft.status().transferTo !== to : leader !== null && leader !== self;
    if (!isOver) return;
    this.#transfer = undefined;
    if (leader === to) return end({ ok: true, index: applied(), changed: true });
    end({ ok: false, code: "not_ready", message: `${to} did not take over in time; ${leader} leads` });
  }

  // ------------------------------------------------------------------------------------------------------- asking it

  async #ask(leader: NodeId, request: MembershipRequest, waitMs: number): Promise<MembershipAnswer> {
    const number = ++this.#number;
    const told = new Promise<MembershipAnswer>((end) => this.#asked.set(number, { of: leader, end }));
    this.#options.send(leader, { kind: "ask", number, request });
    try {
      return await this.#within(told, waitMs);
    } finally {
      this.#asked.delete(number);
    }
  }

  #within(answer: Promise<MembershipAnswer>, ms: number): Promise<MembershipAnswer> {
    return new Promise((resolve) => {
      const cancel = this.#options.time.after(ms, () => resolve(again));
      void answer.then((one) => {
        cancel();
        resolve(one);
      });
    });
  }
}

function changeOf(request: Exclude<MembershipRequest, { kind: "transfer" }>): MemberChange {
  if (request.kind === "remove") return request;
  const { id, peer, api } = request;
  return { kind: "add", member: { id, peer, api } };
}

function isDone(raft: Raft, request: Exclude<MembershipRequest, { kind: "transfer" }>): boolean {
  const { members, removed } = raft.configuration;
  if (request.kind === "remove") return removed.includes(request.id);
  return members.some(({ id, peer, api }) => id === request.id && peer === request.peer && api === request.api);
}

/**
 * Whether enough voters answer without `id`: a removal that leaves too few could not even be committed, and nothing after
 * it. `not_yet`: those that a young leader has not heard of could make it enough.
 */
function majorityWithout(raft: Raft, id: NodeId): "yes" | "no" | "not_yet" {
  const { progress, configuration, id: self } = raft.status();
  if (configuration.members.find((member) => member.id === id)?.voter !== true) return "yes";
  const voters = configuration.members.filter((member) => member.voter && member.id !== id);
  const heard = voters.map((member) => (member.id === self ? "yes" : progress[member.id]?.heard));
  const enough = voters.length === 0 ? 0 : quorumSize(voters.length);
  if (heard.filter((one) => one === "yes").length >= enough) return "yes";
  return heard.filter((one) => one !== "no").length >= enough ? "not_yet" : "no";
}

function refusalOf(
  reason: Extract<MemberChanged, { ok: false }>["reason"] | "learner" | "self",
  id: NodeId,
): MembershipAnswer {
  const refuse = (code: RefusalCode, message: string) => ({ ok: false, code, message }) as const;
  switch (reason) {
    case "exists":
      return refuse("exists", `${id} is a member with other addresses`);
    case "reused":
      return refuse("exists", `${id} was a member once and was removed: ids are never used again`);
    case "unknown":
      return refuse("not_found", `${id} is not a member`);
    case "pending":
      return refuse("busy", "another change of the members is not committed yet");
    case "last_voter":
      return refuse("busy", `${id} is the last voter`);
    case "learner":
      return refuse("not_ready", `${id} does not vote yet: it is catching up`);
    case "behind":
      return refuse("not_ready", `${id} has not caught up`);
    case "full":
      return refuse("too_many", "there are as many members or removed ids as there may be");
    case "not_leader":
    case "stale_term":
    case "transferring":
    case "not_ready":
    case "self":
      return again;
  }
}
