/**
 * What is said when code and journal do not fit: both sides, and the line of the code.
 */
import { SlctError } from "../client/errors.js";
import { here, placeOf } from "./guard.js";

export function mismatch(id: string, op: string, recorded: string, asked: string): SlctError {
  const place = placeOf(here().stack);
  return new SlctError(
    "journal_mismatch",
    `process ${id}, operation ${op}: the journal has "${recorded}", the code now asks for "${asked}" (${place}). ` +
      "Give changed code a new version",
    { details: { Op: op, Recorded: recorded, Asked: asked, Place: place } },
  );
}

/** @param what is known of the operation, as an ending of the sentence */
export function unasked(id: string, op: string, what: string, last: string): SlctError {
  return new SlctError(
    "journal_mismatch",
    `process ${id}, operation ${op}: the journal has "${what}", the code did not ask for anything there (${last}). ` +
      "Give changed code a new version",
    { details: { Op: op, Recorded: what, Place: last } },
  );
}
