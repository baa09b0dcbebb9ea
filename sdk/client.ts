/**
 * `slct/client`: everything that the service can do, typed, from any place that has `fetch`.
 */
import { channelCalls, type ChannelCalls } from "./client/channels.js";
import { codecList, type Codec, type Codecs } from "./client/codec.js";
import { collectCalls, type CollectCalls } from "./client/collect.js";
import { eventCalls, type EventCalls } from "./client/events.js";
import { operationCalls, type OperationCalls } from "./client/operations.js";
import { processCalls, type ProcessCalls } from "./client/processes.js";
import { RequestIds } from "./client/request.js";
import { stateCalls, type StateCalls } from "./client/states.js";
import { Transport, type TransportOptions } from "./client/transport.js";

export { after, at, otherwise, recv, send } from "./client/cases.js";
export type { Case, Cases, Fired, Received, Selected, Sent } from "./client/cases.js";
export { channel } from "./client/channel.js";
export type { Channel, ChannelLike, StandardSchema } from "./client/channel.js";
export { systemClock } from "./client/clock.js";
export type { Clock } from "./client/clock.js";
export { encrypted, packed } from "./client/codec.js";
export type { Codec } from "./client/codec.js";
export { durationMs } from "./client/duration.js";
export type { Duration } from "./client/duration.js";
export { Failure, isSlctError, SlctError } from "./client/errors.js";
export type { SlctErrorCode } from "./client/errors.js";
export { isHandedOut } from "./client/states.js";
export type { ProcessRef } from "./client/process-data.js";
export type { Started } from "./client/processes.js";
export type { CallOptions, MutationOptions, ReadOptions } from "./client/request.js";
export type { Fetch, RetryOptions } from "./client/transport.js";
export type { ChannelOut, EventOut, Json, PutBody, ResultOut, StateOut, Status } from "../api/contract.js";

/** Options of {@link createClient}: where the service is, how long it is asked, how data is written. */
export interface ClientOptions extends TransportOptions {
  /** How `Data` and results of processes are written; a list: the first writes, all read. Default plain JSON. */
  readonly codec?: Codec | Codecs;
  /** Of a process that is started: 32 hex digits, from which its chance and its secrets follow. Default unguessable. */
  readonly newSeed?: () => string;
}

/**
 * Every call of the service. Mutations carry a request ID, so their tries are done once.
 * @throws SlctError from each call: the code of the service's answer, or `unreachable`, `bad_answer`
 */
export interface Client extends StateCalls, ChannelCalls, EventCalls, OperationCalls, ProcessCalls, CollectCalls {
  /** Largest log index that an answer carried. */
  readonly index: number;
}

/**
 * A client for the nodes at `endpoints`; text is one endpoint. It needs no closing.
 * ```ts
 * const client = createClient({ endpoints: ["http://10.0.0.1:8081", "http://10.0.0.2:8081"] });
 * await client.send("jobs", { n: 1 }, { wait: "30s" });
 * ```
 */
export function createClient(options: ClientOptions | string): Client {
  const given = typeof options === "string" ? { endpoints: options } : options;
  const transport = new Transport(given);
  const requester = { transport, ids: new RequestIds() };
  const [states, channels] = [stateCalls(requester), channelCalls(requester)];
  return {
    get index() {
      return transport.index;
    },
    ...states,
    ...channels,
    ...collectCalls({ ...states, ...channels }),
    ...eventCalls(requester),
    ...operationCalls(requester),
    ...processCalls(requester, codecList(given.codec), given.newSeed),
  };
}
