/**
 * A step between the code that asks for it and the worker that does it.
 */
import type { Json } from "../../api/contract.js";
import type { JournalEntry } from "../client/process-data.js";
import type { OpenStep } from "./operations.js";

export interface DueStep {
  readonly step: OpenStep;
  readonly attempt: number;
  /** It ended in a run that could not be stored. */
  readonly known: JournalEntry | undefined;
  /** What the attempt before this one said of itself, as far as is stored. */
  readonly lastDetails: Json | undefined;
}

/** When a step that failed is tried again, if it has said so itself. */
export type NextAttempt = { readonly After: number } | { readonly At: number };

export type StepResult =
  { readonly value: Json } | { readonly thrown: unknown; readonly details?: Json; readonly next?: NextAttempt };
