/**
 * `/events`: the ordered feed of changes, as JSON pages or as a stream of server-sent events.
 *
 * In a stream only the last event of an index carries an `id`: whoever resumes gets an index whole or not at all.
 * Source: protocol §6; the WHATWG event-stream format.
 */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Event } from "../cluster/types.js";
import { freshen, json, signalOf } from "./exchange.js";
import type { Exchange, Reply } from "./exchange.js";
import { toProblem } from "./problem.js";
import { numberOf, wholeOf } from "./query.js";
import { waitSeconds } from "./state.js";
import { eventOut } from "./wire-out.js";
import { namePrefix, refuse } from "./wire-values.js";

const pageMax = 1000;
const anyIndex = { min: 0, max: Number.MAX_SAFE_INTEGER } as const;

export async function readEvents(exchange: Exchange): Promise<Reply | undefined> {
  const { api, req, query } = exchange;
  const prefix = namePrefix(query.get("prefix") ?? "", "prefix", api.rules.limits.idBytesMax);
  const streams = req.method !== "HEAD" && req.headers.accept?.includes("text/event-stream");
  if (streams) return streamEvents(exchange, prefix);
  const after = query.has("after") ? wholeOf(query, "after", { ...anyIndex, default: 0 }) : undefined;
  const waitMs = Math.round(numberOf(query, "wait", waitSeconds) * 1000);
  const limit = wholeOf(query, "limit", { min: 1, max: pageMax, default: pageMax });
  await freshen(exchange);
  const events = await api.node.events({
    ...(after !== undefined && { after }),
    prefix,
    waitMs,
    limit,
    signal: signalOf(exchange),
  });
  return json(200, { Events: events.map(eventOut) }, api.node.appliedIndex);
}

/** Begins behind `Last-Event-ID`, else `after`, else now. Ends when the client goes. */
async function streamEvents(exchange: Exchange, prefix: string): Promise<undefined> {
  const { api, res } = exchange;
  await freshen(exchange);
  const signal = signalOf(exchange);
  let after = startOf(exchange);
  const read = async (waitMs: number) => {
    const seen = api.node.appliedIndex;
    const page = await api.node.events({ after, prefix, waitMs, limit: pageMax, signal });
    // Nothing under this prefix up to `seen`: going on from there, a quiet stream never falls behind what is kept.
    after = page.at(-1)?.index ?? Math.max(after, seen);
    return page;
  };
  // The first page decides between a stream and a problem document: nothing is written before.
  let events = await read(0);
  res.writeHead(200, {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Slct-Index": String(api.node.appliedIndex),
  });
  res.flushHeaders();
  try {
    while (!signal.aborted) {
      await write(res, events.length > 0 ? eventText(events) : ": still here\n\n", signal);
      events = await read(api.heartbeatMs);
    }
  } catch (error) {
    if (signal.aborted) return;
    api.logger.warn({ event: "stream_ended", err: error }, "an event stream ended");
    res.write(`event: error\ndata: ${JSON.stringify(toProblem(error))}\n\n`);
  }
  res.end();
}

function startOf({ api, req, query }: Exchange): number {
  const last = req.headers["last-event-id"];
  if (last === undefined || last === "") {
    return wholeOf(query, "after", { ...anyIndex, default: api.node.appliedIndex });
  }
  if (typeof last !== "string" || !/^\d{1,15}$/.test(last)) return refuse("Last-Event-ID must be a log index.");
  return Number(last);
}

function eventText(events: readonly Event[]): string {
  let out = "";
  events.forEach((event, i) => {
    if (events[i + 1]?.index !== event.index) out += `id: ${event.index}\n`;
    out += `event: ${event.type}\ndata: ${JSON.stringify(eventOut(event))}\n\n`;
  });
  return out;
}

/** A slow reader holds up its own stream only. */
async function write(res: ServerResponse, text: string, signal: AbortSignal): Promise<void> {
  if (!res.write(text)) await once(res, "drain", { signal });
}
