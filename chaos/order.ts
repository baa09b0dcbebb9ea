/**
 * One order of everything: an answer says at which log index it stands, so an operation that began after another one had
 * returned may not stand before it. A read that does is stale. Linear in the history, over all objects and all clients.
 */
import type { Operation } from "./history.js";
import type { Violation } from "./workload.js";

type Answered = Operation & { readonly index: number };

/** More of a kind say nothing new. */
const shownMax = 20;

export function checkOrder(operations: readonly Operation[]): Violation[] {
  const answered = operations.filter((one): one is Answered => one.end === "ok" && one.index !== undefined);
  const byInvocation = [...answered].sort((a, b) => a.invokedMs - b.invokedMs);
  const byReturn = [...answered].sort((a, b) => a.returnedMs - b.returnedMs);
  const found: Violation[] = [];
  let returned = 0;
  let highest: Answered | undefined;
  for (const one of byInvocation) {
    for (; (byReturn[returned]?.returnedMs ?? Infinity) < one.invokedMs; returned++) {
      const before = byReturn[returned] as Answered;
      if (highest === undefined || before.index > highest.index) highest = before;
    }
    if (highest === undefined) continue;
    // An entry of its own comes after all that was answered before.
    const isBehind = one.writes ? one.index <= highest.index : one.index < highest.index;
    if (isBehind && found.length < shownMax)
      found.push({ kind: one.writes ? "reordered" : "stale", what: say(one, highest) });
  }
  return found;
}

function say(one: Answered, before: Answered): string {
  const [a, b] = [one, before].map(({ name, client, index }) => `${name} of ${client} at index ${index}`);
  return `${a} began ${Math.round(one.invokedMs - before.returnedMs)} ms after the end of ${b}`;
}
