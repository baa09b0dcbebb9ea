/**
 * Bodies and headers → commands on states.
 *
 * Source: protocol §2, §3. The digest lets the engine recognise the repetition of a put-back: it covers what the body
 * says, not how it was written down.
 */
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import type { Command, PatchCommand, PutCommand } from "../src/select/command.js";
import type { Raw } from "../src/select/types.js";
import type { LockBody, PatchBody, PutBody } from "./contract.js";
import { isNull, parseCallback, parseContent, parseExtras, parseSelects, parseVars } from "./wire-in.js";
import { present, type Present } from "./present.js";
import type { Rules } from "./rules.js";
import { plainText, refuse } from "./wire-values.js";

const lockLengthMax = 256;

/** What headers say about a mutation. */
export interface Preconditions {
  /** `Request-Id` */
  readonly requestId?: string;
  /** `If-Match` */
  readonly ifVersion?: number;
  /** `Slct-Lock` */
  readonly lock?: string;
}

export interface Target {
  readonly id: string;
  readonly given: Preconditions;
  readonly rules: Rules;
}

export function putCommand(body: PutBody<Raw>, { id, given, rules }: Target): PutCommand {
  checkSameId(body.ID, id);
  const selects = parseSelects(body.Selects, "Selects", rules);
  const content = { ...parseContent(body, rules), selects, ...parseExtras(body, selects, rules) };
  const lock = lockOf(body.Lock, given.lock);
  const digest = lock === undefined ? "" : digestOf(content);
  return present({ kind: "put", id, ...mutation(given), ...content, lock, digest });
}

export function patchCommand(body: PatchBody<Raw>, { id, given, rules }: Target): PatchCommand {
  checkSameId(body.ID, id);
  const add = parseSelects(body.Add, "Add", rules);
  const { Data, Vars, Callback } = body;
  const content = {
    data: Data,
    vars: Vars && (isNull(Vars) ? null : parseVars(Vars)),
    callback: Callback && parseCallback(Callback, rules),
    add: add.length > 0 ? add : undefined,
    ...parseExtras(body, add, rules),
  };
  const lock = lockOf(body.Lock, given.lock);
  const digest = lock === undefined ? "" : digestOf(content);
  return present({ kind: "patch", id, ...mutation(given), ...content, lock, digest });
}

export function lockCommand(
  body: LockBody<Raw>,
  options: { id: string; given: Preconditions; forMs: number },
): Command {
  const { id, given, forMs } = options;
  const lock = lockOf(body.Lock, given.lock);
  return {
    kind: "lock",
    id,
    ...mutation(given),
    ...(lock !== undefined && { lock }),
    forMs,
    ...(body.Details !== undefined && { details: body.Details }),
  };
}

/** The lock of a request, which may stand in its body or in its header. */
export function lockOf(inBody: string | null | undefined, inHeader: string | undefined): string | undefined {
  if (inBody == null) return inHeader;
  if (inHeader !== undefined && inHeader !== inBody) refuse("Lock and the header Slct-Lock are different.");
  return plainText(inBody, "Lock", lockLengthMax);
}

/** The members that every mutation of a state takes. */
export function mutation({
  requestId,
  ifVersion,
}: Preconditions): Present<Pick<Preconditions, "requestId" | "ifVersion">> {
  return present({ requestId, ifVersion });
}

function checkSameId(inBody: string | null | undefined, id: string): void {
  if (inBody != null && inBody !== id)
    refuse(`The ID of the body, ${JSON.stringify(inBody)}, is not that of the path.`);
}

// --------------------------------------------------------------------------------------------------------- digest

type Digestible =
  Raw | null | boolean | number | string | readonly Digestible[] | { readonly [key: string]: Digestible | undefined };

function digestOf(content: object): string {
  const hash = createHash("sha256");
  feed(hash, content as Digestible);
  return hash.digest("base64url").slice(0, 22);
}

/** Every piece is delimited, so that no two contents feed the same bytes. */
function feed(hash: Hash, value: Digestible): void {
  if (value instanceof Uint8Array) {
    hash.update(`#${value.length}:`).update(value);
  } else if (typeof value !== "object" || value === null) {
    hash.update(`${JSON.stringify(value)},`);
  } else if (Array.isArray(value)) {
    hash.update("[");
    for (const item of value as readonly Digestible[]) feed(hash, item);
    hash.update("]");
  } else {
    hash.update("{");
    for (const [key, member] of Object.entries(value)) {
      if (member === undefined) continue;
      hash.update(`${key}:`);
      feed(hash, member);
    }
    hash.update("}");
  }
}
