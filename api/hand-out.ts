/**
 * The two ends of a callback, in wire form: the state that goes out, and the state that comes back.
 *
 * Source: protocol §3 (Callback). The answer of a callback is a PUT in every respect, under the lock it was called with.
 */
import type { Command } from "../src/select/command.js";
import type { HandOut } from "../src/select/outcome.js";
import { joinChunks } from "./json-chunks.js";
import { parseBody } from "./json.js";
import { defaultLimits } from "./rules.js";
import type { Rules } from "./rules.js";
import { checkPut } from "./schema.js";
import { putCommand } from "./wire-commands.js";
import { handOutChunks } from "./wire-out.js";

/** Addresses are not judged here: whoever calls one checks it again at that moment. */
const returnedRules: Rules = { limits: defaultLimits, checkCallback: () => undefined };

/** UTF-8 JSON of a state with its lock, as poll gives it. */
export function renderHandOut(handOut: HandOut): Buffer {
  return joinChunks(handOutChunks(handOut));
}

/** @throws SlctError when the body is not a state that could be put back */
export function parseReturned(id: string, lock: string, body: Buffer, rules: Rules = returnedRules): Command {
  return putCommand(checkPut(parseBody(body, rules.limits)), { id, given: { lock }, rules });
}
