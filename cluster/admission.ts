/**
 * What the leader still takes while an alarm stands (docs/operations.md).
 *
 * In steps: new work is refused first, so that there is room to finish the work under way, and then all but what makes
 * room. What the nodes propose by themselves is always taken: it is small, and refusing it would keep what overloads.
 */
import { unreachable } from "../src/invariant.js";
import type { Command } from "../src/select/command.js";

/**
 * `growth`: nothing that adds a state, a channel or a value. `most`: only what ends something. `all`: nothing of any
 * client.
 */
export type Restriction = "growth" | "most" | "all";

/** Work that ends something, proposed by the nodes themselves. */
export function isHousekeeping({ kind }: Pick<Command, "kind">): boolean {
  return kind === "configure" || kind === "withdraw" || kind === "forget" || kind === "expire";
}

export function admits(command: Command, restriction: Restriction): boolean {
  switch (command.kind) {
    case "configure":
    case "withdraw":
    case "forget":
    case "expire":
      return true;
    case "delete":
    case "drop":
    case "unlock":
    case "pause":
    case "callbackFailed":
      return restriction !== "all";
    case "lock":
    case "resume":
    case "close":
    case "demand":
      return restriction === "growth";
    case "put":
    case "patch":
      return restriction === "growth" && command.lock !== undefined && (command.spawn ?? []).length === 0;
    case "select":
      return restriction === "growth" && command.cases.every(({ op }) => op !== "send");
    case "make":
      return false;
    default:
      return unreachable(command);
  }
}
