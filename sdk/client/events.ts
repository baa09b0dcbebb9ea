/**
 * `/events`: the ordered feed of changes, page by page or as an endless stream that resumes by itself.
 *
 * Source: protocol §6; the WHATWG event-stream format.
 */
import type { EventOut, EventsOut, ProblemOut } from "../../api/contract.js";
import { sleep } from "./clock.js";
import { SlctError } from "./errors.js";
import type { Duration } from "./duration.js";
import { common, freshness, json, waiting } from "./request.js";
import type { ReadOptions, Requester } from "./request.js";
import { problemError } from "./transport.js";

/** Options of one page of events. */
export interface ListEventsOptions extends ReadOptions {
  /** Events behind this log index; default 0, the oldest that are kept. */
  readonly after?: number;
  /** Of states and channels. */
  readonly prefix?: string;
  /** Until there is one; default 0, at most 60 s. */
  readonly wait?: Duration;
  /** 1–1000, default 1000. */
  readonly limit?: number;
}

/** Options of the endless stream of events. */
export interface EventsOptions {
  /** Default: from now on. */
  readonly after?: number;
  readonly prefix?: string;
  readonly signal?: AbortSignal;
}

/** Between two connections of one stream. */
const reconnectMs = 500;

export type EventCalls = ReturnType<typeof eventCalls>;

export function eventCalls(requester: Requester) {
  const { transport } = requester;

  /** The index of this moment: a stream that names where it begins can be taken up again before its first event. */
  async function now(signal: AbortSignal): Promise<number> {
    const query = { after: Number.MAX_SAFE_INTEGER, limit: 1 };
    const { headers } = await transport.send({ method: "GET", path: "/events", query, signal });
    return Number(headers.get("slct-index"));
  }

  /** One connection: the events of one index after the other. */
  async function* connection(
    options: EventsOptions,
    last: number,
  ): AsyncGenerator<{ readonly index: number; readonly events: readonly EventOut[] }> {
    const { prefix, signal } = options;
    const headers = { accept: "text/event-stream", "last-event-id": String(last) };
    const response = await transport.open({ method: "GET", path: "/events", query: { prefix }, headers, signal });
    let events: EventOut[] = [];
    for await (const { event, data, id } of parts(response)) {
      if (event === "error") throw endOf(JSON.parse(data) as ProblemOut);
      events.push(JSON.parse(data) as EventOut);
      // Only the last event of an index has it.
      if (id !== undefined) yield { index: Number(id), events };
      if (id !== undefined) events = [];
    }
  }

  return {
    /** One page of the feed. @throws SlctError `compacted` when `after` is older than what the node keeps */
    async listEvents(options: ListEventsOptions = {}): Promise<readonly EventOut[]> {
      const { after, prefix, limit } = options;
      const wait = waiting(options.wait);
      const query = { after, prefix, limit, ...wait.query, ...freshness(options) };
      const call = { method: "GET", path: "/events", query, waitMs: wait.waitMs, ...common(options) } as const;
      return json<EventsOut>(await transport.send(call)).Events;
    },

    /**
     * Every event from now on (or behind `after`), in order, each once, until `signal` aborts or the loop is left.
     * @throws SlctError `compacted` when events were missed: read the states anew
     */
    async *events(options: EventsOptions = {}): AsyncGenerator<EventOut> {
      const controller = new AbortController();
      const abort = () => controller.abort(options.signal?.reason);
      if (options.signal?.aborted) abort();
      options.signal?.addEventListener("abort", abort, { once: true });
      try {
        let seen = options.after ?? (await now(controller.signal));
        for (;;) {
          try {
            for await (const { index, events } of connection({ ...options, signal: controller.signal }, seen)) {
              yield* events;
              seen = index;
            }
          } catch (error) {
            if (controller.signal.aborted || error instanceof SlctError) throw error;
          }
          await sleep(transport.clock, reconnectMs, controller.signal);
        }
      } catch (error) {
        if (!options.signal?.aborted) throw error;
      } finally {
        options.signal?.removeEventListener("abort", abort);
        controller.abort();
      }
    },
  };
}

function endOf(problem: ProblemOut): SlctError {
  return problemError(problem, { status: problem.status });
}

/** The events of a stream; comments and unknown fields are passed over. */
async function* parts(response: Response): AsyncGenerator<{ event: string; data: string; id: string | undefined }> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  let text = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const lines = text.slice(0, end).split("\n");
        text = text.slice(end + 2);
        const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        const data = field("data");
        if (data !== undefined) yield { event: field("event") ?? "message", data, id: field("id") };
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
