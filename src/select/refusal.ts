/**
 * "No" as a value: it replays the same on every replica, and drops everything the entry wrote.
 */

import type { ErrorCode } from "../errors.js";
import type { Answer, Refusal } from "./outcome.js";

export function refuse(code: ErrorCode, message: string, details?: Refusal["details"]): Refusal {
  return details === undefined ? { ok: false, code, message } : { ok: false, code, message, details };
}

/** What a handler gives back. `answer` is called once all drafts are settled, so that it can name their versions. */
export interface Accepted {
  readonly ok: true;
  readonly answer: () => Answer;
  readonly repeated?: boolean;
}

export type Handled = Accepted | Refusal;

export function accept(answer: () => Answer): Accepted {
  return { ok: true, answer };
}

export const done: Accepted = accept(() => ({ kind: "done" }));
