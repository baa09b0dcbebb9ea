/**
 * Matchers for states, for `expect.extend` of vitest and of whatever takes the same shape.
 *
 * They take a state, or the promise of one: `await expect(cluster.client.getState(id)).toBeBlockedOn({ recv: "paid" })`.
 */
import type { Json, StateOut } from "../../api/contract.js";
import { labelOfBodies } from "../client/cases.js";
import { nameOf, type ChannelLike } from "../client/channel.js";
import { cancelSelect, isProcessData, type Completion } from "../client/process-data.js";

/** What a process waits for: a receive from a channel, a send to one, time, or any of several. */
export interface Blocked {
  readonly recv?: ChannelLike<never, unknown>;
  readonly send?: ChannelLike<never, unknown>;
  /** Until then, unix ms; true for any time. */
  readonly time?: number | true;
}

/** For `interface Matchers<T> extends ProcessMatchers {}` in a `declare module "vitest"`. */
export interface ProcessMatchers {
  /** Some select that is open waits for all of this. */
  toBeBlockedOn(blocked: Blocked): Promise<void>;
  /** The process has returned this. */
  toHaveResult(value: unknown): Promise<void>;
  /** The process has thrown, with this code. */
  toHaveFailed(code?: string): Promise<void>;
  /** It is paused, for a reason that contains this. */
  toBePaused(reason?: string): Promise<void>;
}

interface Matched {
  readonly pass: boolean;
  readonly message: () => string;
  readonly actual?: unknown;
  readonly expected?: unknown;
}

interface Tools {
  readonly isNot?: boolean;
  equals(a: unknown, b: unknown): boolean;
}

type Given = StateOut | Promise<StateOut>;

/** For `expect.extend(matchers)`: {@link ProcessMatchers} for states, and for promises of them. */
export const matchers = {
  async toBeBlockedOn(given: Given, { recv, send, time }: Blocked): Promise<Matched> {
    const { ID, Selects } = await given;
    const open = Selects.filter((one) => one.Result === undefined && one.ID !== cancelSelect);
    const wanted = [
      ...(recv === undefined ? [] : [{ Op: 1, Chan: nameOf(recv) ?? undefined }]),
      ...(send === undefined ? [] : [{ Op: 2, Chan: nameOf(send) ?? undefined }]),
      ...(time === undefined ? [] : [{ Op: 3, ...(time !== true && { At: time }) }]),
    ];
    const pass = open.some(({ Cases }) =>
      wanted.every((one) =>
        Cases.some((other) =>
          Object.entries(one).every(([key, value]) => key in other && other[key as "At"] === value),
        ),
      ),
    );
    const seen = open.map(({ Cases }) => labelOfBodies(Cases)).join(", ");
    return { pass, message: () => `${ID} waits on ${seen === "" ? "nothing" : seen}`, actual: seen, expected: wanted };
  },

  async toHaveResult(this: Tools, given: Given, value: unknown): Promise<Matched> {
    const { ID, completion, told } = endOf(await given);
    const actual = completion && "value" in completion ? completion.value : undefined;
    const pass = completion !== undefined && "value" in completion && this.equals(actual, value);
    return { pass, message: () => `${ID} ${told}`, actual, expected: value };
  },

  async toHaveFailed(given: Given, code?: string): Promise<Matched> {
    const { ID, completion, told } = endOf(await given);
    const actual = completion && "error" in completion ? completion.error.code : undefined;
    const failed = completion !== undefined && "error" in completion;
    return {
      pass: failed && (code === undefined || actual === code),
      message: () => `${ID} ${told}`,
      actual,
      expected: code,
    };
  },

  async toBePaused(given: Given, reason = ""): Promise<Matched> {
    const { ID, Status, PausedReason = "" } = await given;
    const pass = Status === "paused" && PausedReason.includes(reason);
    return { pass, message: () => `${ID} is ${Status} ${PausedReason}`, actual: PausedReason, expected: reason };
  },
};

function endOf({ ID, Status, Data }: StateOut): { ID: string; completion: Completion | undefined; told: string } {
  const data: unknown = Data;
  const completion = isProcessData(data) && "result" in data ? data.result : undefined;
  if (completion === undefined) return { ID, completion, told: `is ${Status}` };
  const text = (value: Json | object) => JSON.stringify(value);
  const told =
    "value" in completion ? `has returned ${text(completion.value)}` : `has failed: ${text(completion.error)}`;
  return { ID, completion, told };
}
