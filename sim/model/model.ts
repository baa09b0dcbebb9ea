/**
 * The naive model of the select engine: replays each command on plain arrays and predicts outcome, effects and records,
 * taking the engine's pick where the documents leave one open and checking that it is among what they allow.
 *
 * Authority: protocol.md sections 1–5, semantics.md C.3–C.5. Channels and selects: world.ts; refusals: rules.ts;
 * put-backs: puts.ts; leases: leases.ts, grants.ts.
 */
import type { Command, Entry } from "../../src/select/command.js";
import type { Answer, Applied } from "../../src/select/outcome.js";
import type { Ref } from "../../src/select/types.js";
import { grant, isPending, oldestPending, type GrantSeen } from "./grants.js";
import { expire, objectToVerb, runVerb, type StateCommand } from "./leases.js";
import { holdersOf, runChan, runSelect, withdraw } from "./plain.js";
import { renew, runPut } from "./puts.js";
import { accept, canon, memoOf, memoryKey, putOf, refuse, sameHolders, sameResult, type Verdict } from "./verdict.js";
import { demand, World, type ModelDeadline, type ModelDemand, type ModelSelect, type ModelState } from "./world.js";

/** What the test saw the engine do with the entry; the model reads free choices and tokens from it. */
export interface Seen {
  readonly applied: Applied;
  /** Which case of a select won, by the engine's records and effects after the entry. */
  readonly winner: (state: ModelState, select: ModelSelect) => number | undefined;
  /** Token of the lease a state has after the entry. */
  readonly token: (state: string) => string | undefined;
  /** The model's deadlines behind the keys of an `expire`, in key order. */
  readonly due: readonly ModelDeadline[];
}

export class Model {
  readonly world = new World();
  #seen!: Seen;
  #entry!: Entry;
  /** The entry repeats a request that is remembered. */
  #recalled = false;
  /** Token of every lease ever given: none comes back. */
  readonly #tokens = new Set<string>();

  /** @throws ModelError when the engine's outcome or a choice of it is none that the documents allow */
  apply(entry: Entry, seen: Seen): void {
    this.#entry = entry;
    this.#seen = seen;
    this.#recalled = false;
    this.world.begin(entry, seen.winner);
    const { outcome } = seen.applied;
    const verdict = this.#repeat(entry.command) ?? this.#run(entry.command);
    if ("refuse" in verdict) {
      const allowed = [...verdict.refuse].join();
      demand(!outcome.ok, `accepted, must be refused with one of ${allowed}`);
      demand(verdict.refuse.has(outcome.code), `refused ${outcome.code} (${outcome.message}), allowed: ${allowed}`);
      return;
    }
    demand(outcome.ok, `refused ${outcome.ok || `${outcome.code} (${outcome.message})`}, must be accepted`);
    this.#settle();
    verdict.expect(outcome.answer);
    if (!this.#recalled) this.#remember(outcome.answer);
  }

  get #now(): number {
    return this.world.nowMs;
  }

  #repeat(command: Command): Verdict | undefined {
    const { memory, states } = this.world;
    const { outcome } = this.#seen.applied;
    const repeated = (test: (answer: Answer) => void) =>
      accept((answer) => {
        demand(outcome.ok && outcome.repeated, "a repeated request must say so");
        test(answer);
      });
    const key = memoryKey(command);
    if (key !== undefined && memory.has(key)) {
      this.#recalled = true;
      const known = memory.get(key);
      if (known !== undefined) {
        return repeated((answer) => demand(memoOf(answer) === known, `${key}: ${memoOf(answer)}, first was ${known}`));
      }
      const first = this.world.demands.find((one) => one.memory === key)?.otherwise;
      if ("wait" in command && command.wait) this.#join(key, command.wait.ref);
      else if (first === undefined) return refuse("not_ready");
      else return repeated((answer) => demand(memoOf(answer) === first, `${key}: the PUT was answered ${first}`));
      return repeated((answer) => demand(answer.kind === "parked", `${key}: must join the first request`));
    }
    if ((command.kind !== "put" && command.kind !== "patch") || command.lock === undefined) return undefined;
    const state = states.get(command.id);
    const last = state?.lastPut;
    if (!last || last.lock !== command.lock || last.digest !== command.digest) return undefined;
    if (state.lock?.token === command.lock && this.#now <= state.lock.untilMs) renew(this.world, state);
    return repeated((answer) => demand(canon(putOf(answer)) === last.answer, `put-back repeated: ${canon(answer)}`));
  }

  #join(key: string, ref: Ref): void {
    for (const state of this.world.states.values()) {
      if (state.anonymous?.memory === key) state.anonymous.holders.push(ref);
    }
    for (const one of this.world.demands) if (one.memory === key) one.holders.push(ref);
  }

  #run(command: Command): Verdict {
    switch (command.kind) {
      case "configure":
        this.world.settings = command.settings;
        return accept();
      case "put":
      case "patch":
        return runPut(this.world, command);
      case "delete":
      case "lock":
      case "unlock":
      case "pause":
      case "resume":
      case "callbackFailed":
        return this.#verb(command);
      case "make":
      case "close":
      case "drop":
        return runChan(this.world, command);
      case "select":
        return runSelect(this.world, command);
      case "demand":
        return accept();
      case "withdraw":
        return this.#withdraw(command.refs, command.waited);
      case "forget": {
        const { node, epoch } = command;
        return this.#withdraw(holdersOf(this.world).filter((ref) => ref.node === node && ref.epoch < epoch));
      }
      case "expire":
        for (const one of this.#seen.due) expire(this.world, one);
        return accept();
    }
  }

  #withdraw(refs: readonly Ref[], waited = false): Verdict {
    const told = refs.map((ref) => withdraw(this.world, ref, waited)).filter((holders) => holders.length > 0);
    const seen = this.#seen.applied.effects.flatMap((effect) => (effect.kind === "withdrawn" ? [effect.holders] : []));
    demand(canon(seen) === canon(told), `told of the end of their wait: ${canon(seen)}, must be ${canon(told)}`);
    return accept();
  }

  #verb(command: StateCommand): Verdict {
    const state = this.world.states.get(command.id);
    const objections = objectToVerb(this.world, command, state);
    if (objections.size > 0 || !state) return { refuse: objections };
    runVerb(this.world, command, state, () => this.#token(state.id));
    const byHand = command.kind === "lock" && command.lock === undefined;
    return accept((answer) => {
      demand((answer.kind === "handOuts") === byHand, `${command.kind} answered ${answer.kind}`);
      if (answer.kind === "state") {
        demand(answer.version === state.version, `answer version ${answer.version}, must be ${state.version}`);
      }
      if (answer.kind === "lease") {
        const { lock } = state;
        demand(answer.token === lock?.token && answer.untilMs === lock.untilMs, "another lease than the one held");
      }
    });
  }

  #token(id: string): string {
    const token = this.#seen.token(id);
    demand(token !== undefined, `${id} has no lease after the entry`);
    demand(!this.#tokens.has(token), `${id}: the token ${token} was given before (D7)`);
    this.#tokens.add(token);
    return token;
  }

  /** The end of an entry: what became pending is handed out, what changed counts one version. */
  #settle(): void {
    const { world } = this;
    for (const state of world.states.values()) {
      if (!isPending(state)) state.pendingSince = undefined;
      else state.pendingSince ??= world.index;
    }
    grant(world, this.#grants(), (id) => this.#token(id));
    this.#checkAnswered();
    for (const state of world.touched) {
      if (!world.states.has(state.id) || state.anonymous) continue;
      state.version += 1;
      state.updatedAtMs = this.#now;
    }
    for (const state of world.states.values()) {
      if (!isPending(state)) state.pendingSince = undefined;
      this.#retain(state);
    }
  }

  #retain(state: ModelState): void {
    const { world } = this;
    const busy = state.lock !== undefined || state.paused !== undefined || state.anonymous !== undefined;
    if (busy || state.selects.length > 0) {
      world.disarm(state, "retain");
      state.retainUntilMs = undefined;
    } else if (state.retainUntilMs === undefined) {
      state.retainUntilMs = this.#now + (world.settings?.retentionMs ?? 0);
      world.deadlines.push({ kind: "retain", dueMs: state.retainUntilMs, state });
    }
  }

  /** The hand-outs of this entry, each with the demand it went to. The command's own demand parks here. */
  #grants(): readonly GrantSeen[] {
    const { world } = this;
    const { effects, outcome } = this.#seen.applied;
    const found: GrantSeen[] = [];
    const own = this.#recalled ? undefined : this.#ownDemand(this.#entry.command);
    const answer = outcome.ok ? outcome.answer : undefined;
    if (own && answer?.kind === "handOuts" && answer.handOuts.length > 0) {
      found.push({ to: own, handOuts: answer.handOuts });
    }
    if (own && own.kind !== "state") this.#checkOldest(own, answer);
    const granted = effects.some(
      (effect) => effect.kind === "granted" && sameHolders(effect.demand.holders, own?.holders),
    );
    if (own && (answer?.kind !== "handOuts" || answer.handOuts.length > 0)) {
      if (answer?.kind === "parked" || answer?.kind === "handOuts" || granted) world.demands.push(own);
    }
    for (const effect of effects) {
      if (effect.kind !== "granted") continue;
      const to = world.demands.find((one) => sameHolders(one.holders, effect.demand.holders));
      demand(to, `a grant to a demand that nobody made: ${canon(effect.demand.holders)}`);
      if (effect.handOuts.length > 0) found.push({ to, handOuts: effect.handOuts });
      else this.#endUnserved(to);
      const waits = to.memory !== undefined && world.memory.has(to.memory) && world.memory.get(to.memory) === undefined;
      if (to.memory !== undefined && waits) world.memory.set(to.memory, canon(effect.handOuts));
    }
    const gone = world.demands.filter((one) => one.kind === "state" && !world.states.has(one.match));
    demand(gone.length === 0, "a request waits for a state that was removed");
    return found;
  }

  /** The state it waited for is gone: what was said about the PUT stays its answer. */
  #endUnserved(one: ModelDemand): void {
    const { world } = this;
    demand(one.kind === "state" && !world.states.has(one.match), "a grant of nothing");
    world.demands = world.demands.filter((other) => other !== one);
    if (one.memory !== undefined && world.memory.has(one.memory)) world.memory.set(one.memory, one.otherwise);
  }

  #checkOldest(own: ModelDemand, answer: Answer | undefined): void {
    const { command } = this.#entry;
    const due = oldestPending(this.world, own).map((state) => state.pendingSince);
    const direct = answer?.kind === "handOuts" ? answer.handOuts : [];
    const later = this.#seen.applied.effects.flatMap((effect) =>
      effect.kind === "granted" && sameHolders(effect.demand.holders, own.holders) ? effect.handOuts : [],
    );
    const got = [...direct, ...later].map(({ state }) => this.world.states.get(state.id)?.pendingSince);
    demand(canon(got) === canon(due), `handed ${canon(got)}, the oldest pending are of entries ${canon(due)}`);
    const enough = own.kind === "poll" ? due.length > 0 : due.length === own.slots;
    const parks = command.kind === "demand" && command.park && !enough;
    demand((answer?.kind === "parked") === parks, `a demand answered ${answer?.kind}`);
    if (!parks && own.kind === "callback") own.slots = due.length;
  }

  #ownDemand(command: Command): ModelDemand | undefined {
    const { outcome } = this.#seen.applied;
    if (!outcome.ok) return undefined;
    if (command.kind === "demand") {
      const { prefix: match, max: slots, leaseMs, ref } = command;
      return { kind: command.for, match, slots, leaseMs, holders: [ref] };
    }
    if (command.kind !== "put" && command.kind !== "patch") return undefined;
    if (!command.wait || this.world.states.get(command.id)?.callback !== undefined) return undefined;
    const memory = memoryKey(command);
    return {
      kind: "state",
      match: command.id,
      slots: 1,
      leaseMs: command.wait.leaseMs,
      holders: [command.wait.ref],
      ...(memory === undefined ? {} : { memory }),
      ...(outcome.answer.kind === "parked" ? { otherwise: canon(outcome.answer.put) } : {}),
    };
  }

  #checkAnswered(): void {
    const seen = this.#seen.applied.effects.flatMap((effect) => (effect.kind === "answered" ? [effect] : []));
    demand(seen.length === this.world.answered.length, `${seen.length} plain requests answered`);
    for (const { state, result } of this.world.answered) {
      const effect = seen.find((one) => canon(one.holders) === canon(state.anonymous?.holders));
      demand(effect && sameResult(result, effect.result), `${state.id}: not answered with its result`);
      const memory = state.anonymous?.memory;
      if (memory !== undefined) this.#keep(memory, canon({ kind: "result", result: effect.result }));
    }
  }

  #remember(answer: Answer): void {
    const key = memoryKey(this.#entry.command);
    if (key === undefined) return;
    if (answer.kind !== "parked") this.#keep(key, memoOf(answer));
    else if (answer.put) this.#keep(key, undefined);
    else this.world.memory.set(key, undefined);
  }

  #keep(key: string, memo: string | undefined): void {
    const { memory, deadlines, settings } = this.world;
    memory.set(key, memo);
    deadlines.push({ kind: "request", dueMs: this.#now + (settings?.requestMemoryMs ?? 0), memory: key });
  }
}
