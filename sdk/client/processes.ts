/**
 * Processes from outside: start, await, cancel, look at.
 */
import type { Json, StateOut } from "../../api/contract.js";
import { decode, encode, type Codecs } from "./codec.js";
import type { Duration } from "./duration.js";
import { isSlctError, readError, SlctError, writeError } from "./errors.js";
import { cancelChannel, heartbeatChannel, processId } from "./names.js";
import { firstSelects, isProcessData, newData, type Completion, type ProcessRef } from "./process-data.js";
import type { MutationOptions, ReadOptions, Requester } from "./request.js";
import { stateCalls } from "./states.js";
import { channelCalls } from "./channels.js";

/** Options of the start of a process. */
export interface StartOptions {
  /** Key of the process: starting it again under the same key changes nothing. Default: a random one. */
  readonly id?: string;
  /** Unix ms, a date, or RFC 3339. */
  readonly startAt?: number | string | Date;
  /** The service calls this URL instead of waiting to be polled. */
  readonly callback?: string;
  readonly signal?: AbortSignal;
}

/** A process that was started; `client.result` takes it, with the type of the result. */
export interface Started<Output = unknown> {
  /** Of its state. */
  readonly id: string;
  /** False when it was there already: its input is then the earlier one. */
  readonly created: boolean;
  /** Never there: keeps the type. */
  readonly "~output"?: Output;
}

/** Options of the wait for a result. */
export interface ResultOptions extends ReadOptions {
  /** Default Infinity. */
  readonly wait?: Duration;
}

const heartbeatWait = "10s";

export type ProcessCalls = ReturnType<typeof runs> & ReturnType<typeof promises>;

export function processCalls(requester: Requester, codecs: Codecs, newSeed = randomSeed): ProcessCalls {
  return { ...runs(requester, codecs, newSeed), ...promises(requester) };
}

function runs(requester: Requester, codecs: Codecs, newSeed: () => string) {
  const states = stateCalls(requester);
  const channels = channelCalls(requester);

  return {
    /** Starts a process, once per key. */
    async start<Input, Output>(
      process: ProcessRef<Input, Output>,
      input: Input,
      options: StartOptions = {},
    ): Promise<Started<Output>> {
      const id = processId(process.name, options.id ?? crypto.randomUUID());
      const { startAt, callback, signal } = options;
      const data = newData(process, newSeed(), input ?? null);
      const body = {
        Data: await encode(codecs, data),
        Selects: firstSelects(id, startAt instanceof Date ? startAt.getTime() : startAt),
        ...(callback !== undefined && { Callback: { Type: 1 as const, URI: callback } }),
      };
      try {
        await states.putState(id, body, signal === undefined ? {} : { signal });
        return { id, created: true };
      } catch (error) {
        if (isSlctError(error, "lock_error") && error.details["reason"] === "exists") return { id, created: false };
        throw error;
      }
    },

    /**
     * What the process returns, once it does.
     * @throws Failure what it threw; SlctError `not_ready` when `wait` is over, `not_found` (also once it is forgotten)
     */
    async result<Output = Json>(process: string | Started<Output>, options: ResultOptions = {}): Promise<Output> {
      const id = typeof process === "string" ? process : process.id;
      const state = await states.getState(id, { wait: Infinity, ...options, until: "done" });
      if (state.Status !== "done") throw notReady(state);
      const data: unknown = await decode(codecs, state.Data);
      if (!isProcessData(data) || !("result" in data)) {
        throw new SlctError("bad_answer", `state ${id} is not that of a process`);
      }
      return completionValue(data.result) as Output;
    },

    /**
     * Cancels a process: what it waits for throws a {@link Failure} with the code `cancelled`, its signal aborts.
     * @returns false when somebody did so before
     */
    async cancel(id: string, reason: Json = null, options: { readonly signal?: AbortSignal } = {}): Promise<boolean> {
      try {
        await channels.closeChannel(cancelChannel(id), reason, options);
        return true;
      } catch (error) {
        if (isSlctError(error, "closed")) return false;
        throw error;
      }
    },

    /** What a running process shows of itself. */
    async vars(id: string, options: ReadOptions = {}): Promise<{ readonly [name: string]: Json }> {
      return (await states.getState(id, options)).Vars ?? {};
    },
  };
}

function promises(requester: Requester) {
  const channels = channelCalls(requester);

  return {
    /** Keeps a durable promise, by its ID. @throws SlctError `closed` when it was settled before */
    async resolve(promise: string, value: unknown, options: MutationOptions = {}): Promise<void> {
      await channels.closeChannel(promise, { value: value ?? null }, options);
    },

    /**
     * Says that a pending activity is alive, and how far it has got, for whoever has its token.
     * @returns false when nobody waits for it any more, within `wait` (default 10 s): it is over, or cancelled
     */
    async heartbeat(
      token: string,
      details: Json = null,
      options: { readonly wait?: Duration; readonly signal?: AbortSignal } = {},
    ): Promise<boolean> {
      try {
        await channels.send(heartbeatChannel(token), details, { wait: heartbeatWait, ...options });
        return true;
      } catch (error) {
        if (isSlctError(error, "not_ready")) return false;
        throw error;
      }
    },

    /** Breaks a durable promise: whoever awaits it meets a {@link Failure}. @throws SlctError `closed` */
    async reject(promise: string, error: unknown, options: MutationOptions = {}): Promise<void> {
      await channels.closeChannel(promise, { error: writeError(error) }, options);
    },
  };
}

/** @throws Failure */
export function completionValue(completion: Completion): Json {
  if ("error" in completion) throw readError(completion.error);
  return completion.value;
}

/** 128 bits in hex. */
function randomSeed(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function notReady({ ID, Status, PausedReason, LastError }: StateOut): SlctError {
  const why = Status === "paused" ? `: ${LastError ?? PausedReason ?? ""}` : "";
  return new SlctError("not_ready", `process ${ID} is ${Status}${why}`, {
    details: { Status, PausedReason, LastError },
  });
}
