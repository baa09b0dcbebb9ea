/**
 * `/state`: create, put back, read, poll, hold, pause, delete.
 *
 * Source: protocol §2, §3. Bodies and answers are those of the wire; durations are ours.
 */
import type { LeaseOut, PatchBody, PutAnswerOut, PutBody, StateAnswerOut } from "../../api/contract.js";
import type { StateOut, StatesOut, Status } from "../../api/contract.js";
import { durationMs, type Duration } from "./duration.js";
import { isSlctError } from "./errors.js";
import { common, freshness, inLegs, json, mutation, waiting } from "./request.js";
import type { CallOptions, MutationOptions, ReadOptions, Requester } from "./request.js";

/** Options of calls that change a state. */
export interface StateOptions extends MutationOptions {
  /** Expected `Version`; otherwise `version_mismatch`. */
  readonly ifVersion?: number;
}

/** Options of put and patch. */
export interface PutOptions extends StateOptions {
  /** Waits for the state to be pending and answers it handed out: the answer then has `Results`. At most 60 s. */
  readonly wait?: Duration;
  /** Of a state handed out that way; default 30 s. */
  readonly lease?: Duration;
}

/** Options of a read, which may wait for something to happen. */
export interface GetOptions extends ReadOptions {
  /** With `until` or `after`; may be longer than a request can wait, Infinity too. */
  readonly wait?: Duration;
  readonly until?: Status;
  /** Until the version is higher than this. */
  readonly after?: number;
}

/** Options of a poll for pending states. */
export interface PollOptions extends CallOptions {
  readonly prefix?: string;
  /** Default 0; may be longer than a request can wait. */
  readonly wait?: Duration;
  /** 1–100, default 1. */
  readonly max?: number;
  /** 1 s – 1 h, default 30 s. */
  readonly lease?: Duration;
}

/** Which states are listed; in the order of their IDs. */
export interface ListStatesOptions extends ReadOptions {
  readonly prefix?: string;
  readonly status?: Status;
  /** Only states that wait on this channel. */
  readonly chan?: string;
  readonly cursor?: string;
  /** 1–1000, default 100. */
  readonly limit?: number;
}

export type StateCalls = ReturnType<typeof stateWrites> & ReturnType<typeof stateReads> & ReturnType<typeof leases>;

export function stateCalls(requester: Requester): StateCalls {
  return { ...stateWrites(requester), ...stateReads(requester), ...leases(requester) };
}

export function statePath(id: string): string {
  return `/state/${encodeURIComponent(id)}`;
}

function stateWrites(requester: Requester) {
  const { transport } = requester;
  async function write(method: "PUT" | "PATCH", id: string, body: object, options: PutOptions) {
    const { query, waitMs } = waiting(options.wait);
    const lease = options.lease === undefined ? {} : { lease: durationMs(options.lease) / 1000 };
    const path = statePath(id);
    return json<PutAnswerOut | StateOut>(
      await transport.send({
        method,
        path,
        query: { ...query, ...lease },
        waitMs,
        body,
        ...change(requester, options),
      }),
    );
  }

  return {
    /** Creates (`lock_error` if it is there), or with `Lock` in the body puts back. */
    putState: (id: string, body: PutBody<unknown>, options: PutOptions = {}) => write("PUT", id, body, options),

    /** Puts back only what changes; needs `Lock`. */
    patchState: (id: string, body: PatchBody<unknown>, options: PutOptions = {}) => write("PATCH", id, body, options),

    /** Nothing is handed out until it is resumed; `reason` is `PausedReason`. @throws SlctError `not_found` */
    async pauseState(id: string, reason?: string, options: StateOptions = {}): Promise<StateAnswerOut> {
      const body = reason === undefined ? {} : { Reason: reason };
      const path = `${statePath(id)}/pause`;
      return json(await transport.send({ method: "PUT", path, body, ...change(requester, options) }));
    },

    /** Counts attempts anew; nothing to do for a state that is not paused. @throws SlctError `not_found` */
    async resumeState(id: string, options: StateOptions = {}): Promise<StateAnswerOut> {
      const path = `${statePath(id)}/resume`;
      return json(await transport.send({ method: "PUT", path, ...change(requester, options) }));
    },

    /** Needs its lock, or `force`. */
    async deleteState(
      id: string,
      options: StateOptions & { readonly lock?: string; readonly force?: boolean } = {},
    ): Promise<void> {
      const query = { force: options.force };
      await transport.send({
        method: "DELETE",
        path: statePath(id),
        query,
        ...change(requester, options, options.lock),
      });
    },
  };
}

function stateReads(requester: Requester) {
  const { transport } = requester;

  async function listStates(options: ListStatesOptions = {}): Promise<StatesOut> {
    const { prefix, status, chan, cursor, limit } = options;
    const query = { prefix, status, chan, cursor, limit, ...freshness(options) };
    return json(await transport.send({ method: "GET", path: "/state", query, ...common(options) }));
  }

  return {
    /** Reads a state, now or when `until` or `after` is met; as it is when the wait is over. @throws SlctError `not_found` */
    async getState(id: string, options: GetOptions = {}): Promise<StateOut> {
      const { until, after } = options;
      let state: StateOut | undefined;
      await inLegs(requester, options.wait ?? 0, async ({ waitMs }) => {
        const query = { ...freshness(options), until, after, ...(waitMs > 0 && { wait: waitMs / 1000 }) };
        const path = statePath(id);
        state = json<StateOut>(await transport.send({ method: "GET", path, query, waitMs, ...common(options) }));
        const reached = (until ?? state.Status) === state.Status && (after ?? -1) < state.Version;
        return reached ? state : undefined;
      });
      return state as StateOut;
    },

    /** Whether there is such a state. */
    async hasState(id: string, options: ReadOptions = {}): Promise<boolean> {
      try {
        const path = statePath(id);
        await transport.send({ method: "GET", path, query: freshness(options), ...common(options) });
        return true;
      } catch (error) {
        if (isSlctError(error, "not_found")) return false;
        throw error;
      }
    },

    /** One page. */
    listStates,

    /** All pages. */
    async *states(options: ListStatesOptions = {}): AsyncGenerator<StateOut> {
      let cursor = options.cursor;
      do {
        const page = await listStates({ ...options, ...(cursor !== undefined && { cursor }) });
        yield* page.States;
        cursor = page.Cursor ?? undefined;
      } while (cursor !== undefined);
    },
  };
}

/** Who holds a state, and for how long. */
function leases(requester: Requester) {
  const { transport } = requester;

  return {
    /** Takes pending states without callback, oldest first; with `Lock` and `LockUntil`. Empty when the wait is over. */
    async poll(options: PollOptions = {}): Promise<readonly StateOut[]> {
      const { prefix, max, lease } = options;
      const given = { prefix, max, ...(lease !== undefined && { lease: durationMs(lease) / 1000 }) };
      const states = await inLegs(requester, options.wait ?? 0, async ({ waitMs }) => {
        const query = { ...given, wait: waitMs / 1000 };
        const call = { method: "GET", path: "/state/poll", query, waitMs, ...common(options) } as const;
        const answer = json<readonly StateOut[]>(await transport.send(call));
        return answer.length > 0 ? answer : undefined;
      });
      return states ?? [];
    },

    /** A heartbeat: the lease lasts `for` from now (default 30 s); `details` reach the next holder. */
    async extendLock(
      id: string,
      lease: { readonly lock: string; readonly for?: Duration; readonly details?: unknown },
      options: StateOptions = {},
    ): Promise<LeaseOut> {
      const For = lease.for === undefined ? undefined : durationMs(lease.for) / 1000;
      const body = { Lock: lease.lock, For, Details: lease.details };
      const path = `${statePath(id)}/lock`;
      return json(await transport.send({ method: "POST", path, body, ...change(requester, options) }));
    },

    /** Takes a lease by hand, whatever the state waits for. @throws SlctError `lock_error` while somebody holds it */
    async takeLock(id: string, options: StateOptions & { readonly for?: Duration } = {}): Promise<StateOut> {
      const body = { For: options.for === undefined ? undefined : durationMs(options.for) / 1000 };
      const path = `${statePath(id)}/lock`;
      return json(await transport.send({ method: "POST", path, body, ...change(requester, options) }));
    },

    /** Gives the lease back; with `delay` it is pending again only then. */
    async unlockState(
      id: string,
      lock: string,
      options: StateOptions & { readonly delay?: Duration } = {},
    ): Promise<StateAnswerOut> {
      const query = options.delay === undefined ? {} : { delay: durationMs(options.delay) / 1000 };
      const path = `${statePath(id)}/lock`;
      return json(await transport.send({ method: "DELETE", path, query, ...change(requester, options, lock) }));
    },
  };
}

function change(requester: Requester, options: StateOptions, lock?: string) {
  return mutation(requester, options, {
    "if-match": options.ifVersion === undefined ? undefined : `"${options.ifVersion}"`,
    "slct-lock": lock,
  });
}

/** True when a put or patch with `wait` was answered with the state itself. */
export function isHandedOut(answer: PutAnswerOut | StateOut): answer is StateOut {
  return "Results" in answer;
}
