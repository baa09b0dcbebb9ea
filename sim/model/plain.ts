/**
 * Channels by name and plain requests in the naive model: protocol section 4.
 */
import type { Command } from "../../src/select/command.js";
import type { Ref } from "../../src/select/types.js";
import { remove } from "./leases.js";
import { make, registerAll } from "./puts.js";
import { objectToMake } from "./rules.js";
import { accept, memoryKey, refuse, sameRef, sameResult, type Verdict } from "./verdict.js";
import { demand, textOf, type ModelState, type World } from "./world.js";

type Of<K extends Command["kind"]> = Extract<Command, { readonly kind: K }>;

export function runChan(world: World, command: Of<"make" | "close" | "drop">): Verdict {
  switch (command.kind) {
    case "make": {
      const objection = objectToMake(world, command);
      if (objection) return refuse(objection);
      const created = make(world, command.chan, command.buffer);
      return accept((answer) => demand(answer.kind === "chan" && answer.created === created, "make: wrong created"));
    }
    case "close":
      return world.close(command.chan, textOf(command.value)) ? accept() : refuse("closed");
    case "drop": {
      const chan = world.chan(command.chan);
      const waits = world.parked.some((one) => one.chan === command.chan);
      if (!chan.explicit && !waits) return refuse("not_found");
      if (waits || chan.values.length > 0) return refuse("busy");
      world.chans.delete(command.chan);
      return accept();
    }
  }
}

export function runSelect(world: World, command: Of<"select">): Verdict {
  const memory = memoryKey(command);
  const holders = command.wait ? [command.wait.ref] : [];
  const state: ModelState = {
    id: `anonymous ${world.index}`,
    selects: [],
    version: 0,
    attempt: 0,
    createdAtMs: world.nowMs,
    updatedAtMs: world.nowMs,
    anonymous: { holders, ...(memory === undefined ? {} : { memory }) },
  };
  world.states.set(state.id, state);
  registerAll(world, state, [{ id: "1", cases: command.cases, choice: command.choice }]);
  const own = world.answered.find((one) => one.state === state);
  world.answered = world.answered.filter((one) => one !== own);
  world.touched.delete(state);
  if (!own && !command.wait) {
    remove(world, state);
    return refuse("not_ready");
  }
  return accept((answer) => {
    demand(answer.kind === (own ? "result" : "parked"), `select answered ${answer.kind}`);
    if (own && answer.kind === "result") demand(sameResult(own.result, answer.result), "select: another result");
  });
}

/**
 * The request behind `ref` is over; what nobody waits for any more goes. If it `waited` to the end, what it shared with
 * others goes too.
 *
 * @returns the others, who must be told
 */
export function withdraw(world: World, ref: Ref, waited = false): readonly Ref[] {
  const others = (holders: readonly Ref[]) => holders.filter((one) => !sameRef(one, ref));
  for (const state of [...world.states.values()]) {
    const { anonymous } = state;
    if (!anonymous?.holders.some((one) => sameRef(one, ref))) continue;
    anonymous.holders = others(anonymous.holders);
    if (anonymous.holders.length > 0 && !waited) return [];
    if (anonymous.memory !== undefined) forgetRequest(world, anonymous.memory);
    remove(world, state);
    return anonymous.holders;
  }
  const mine = world.demands.find((one) => one.holders.some((holder) => sameRef(holder, ref)));
  if (!mine) return [];
  mine.holders = others(mine.holders);
  if (mine.holders.length > 0 && !waited) return [];
  if (mine.memory !== undefined && world.memory.has(mine.memory)) world.memory.set(mine.memory, mine.otherwise);
  world.demands = world.demands.filter((one) => one !== mine);
  return mine.holders;
}

/** Everybody who waits: behind a plain request or a demand. */
export function holdersOf(world: World): readonly Ref[] {
  const plain = [...world.states.values()].flatMap((state) => state.anonymous?.holders ?? []);
  return [...plain, ...world.demands.flatMap((one) => one.holders)];
}

/** Nothing was accepted: the next request with this Request-Id is a first one. */
function forgetRequest(world: World, key: string): void {
  world.memory.delete(key);
  world.deadlines = world.deadlines.filter((one) => one.memory !== key);
}
