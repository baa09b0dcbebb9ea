/**
 * `/state` and `/state/{id}`: create, put back, patch, read, list, delete.
 *
 * Source: protocol §2, §3.
 */
import type { Until, Waited } from "../cluster/types.js";
import type { PatchCommand, PutCommand } from "../src/select/command.js";
import type { PutAnswer, Status } from "../src/select/types.js";
import { SlctError } from "../src/errors.js";
import { accepted, bodyOf, chunks, etag, expectAnswer, freshen, freshnessOf, json, neededBodyOf } from "./exchange.js";
import { reachMinIndex, signalOf, targetOf } from "./exchange.js";
import type { Accepted, Exchange, Reply } from "./exchange.js";
import { listChunks } from "./json-chunks.js";
import { refusalError } from "./problem.js";
import { cursorOf, cursorText, filterOf, flagOf, limitOf, numberOf, wholeOf } from "./query.js";
import { checkHolder, checkPatch, checkPut } from "./schema.js";
import { lockOf, mutation, patchCommand, putCommand } from "./wire-commands.js";
import { namePrefix, pathChan, refuse } from "./wire-values.js";
import { handOutChunks, putAnswerOut, stateChunks } from "./wire-out.js";

export const waitSeconds = { min: 0, max: 60, default: 0 } as const;
export const leaseSeconds = { min: 1, max: 3600, default: 30 } as const;

const statuses = ["waiting", "pending", "running", "done", "paused"] as const satisfies readonly Status[];

export async function putState(exchange: Exchange): Promise<Reply> {
  const target = targetOf(exchange);
  return write(exchange, putCommand(await neededBodyOf(exchange, checkPut), target));
}

export async function patchState(exchange: Exchange): Promise<Reply> {
  const target = targetOf(exchange);
  return write(exchange, patchCommand(await neededBodyOf(exchange, checkPatch), target));
}

async function write(exchange: Exchange, command: PutCommand | PatchCommand): Promise<Reply> {
  const { api, query } = exchange;
  const lease = numberOf(query, "lease", leaseSeconds);
  const wait = numberOf(query, "wait", waitSeconds);
  await reachMinIndex(exchange);
  if (!query.has("wait")) {
    const committed = await api.node.submit(command);
    return putReply(accepted(committed), committed.index);
  }
  const waited = await api.node.submitAndWait(
    (ref) => ({ ...command, wait: { ref, leaseMs: Math.round(lease * 1000) } }),
    { waitMs: Math.round(wait * 1000), signal: signalOf(exchange) },
  );
  return waitedReply(waited, command.kind === "put" && command.lock === undefined);
}

function waitedReply(waited: Waited, creates: boolean): Reply {
  switch (waited.kind) {
    case "refused":
      throw refusalError(waited.outcome);
    case "granted": {
      const [handOut] = waited.handOuts;
      if (!handOut) throw new SlctError("internal", "a grant without a state");
      return chunks(
        creates && !waited.repeated ? 201 : 200,
        handOutChunks(handOut),
        waited.index,
        etag(handOut.state.version),
      );
    }
    case "answer":
    case "withdrawn":
      return putReply(waited.outcome, waited.index);
    case "result":
      throw new SlctError("internal", "a state was answered with the result of a plain request");
  }
}

/** The answer of a PUT or PATCH: the state handed out, if it came to that, or what was stored. */
function putReply({ answer, repeated }: Accepted, index: number): Reply {
  if (answer.kind === "handOuts") {
    const [handOut] = answer.handOuts;
    if (handOut) {
      return chunks(putStatus(answer.put, repeated), handOutChunks(handOut), index, etag(handOut.state.version));
    }
  }
  const put = answer.kind === "parked" || answer.kind === "handOuts" ? answer.put : expectAnswer(answer, "put");
  if (!put) throw new SlctError("internal", "a PUT without its answer");
  return json(putStatus(put, repeated), putAnswerOut(put), index, etag(put.version));
}

function putStatus(put: PutAnswer | undefined, repeated: boolean | undefined): 200 | 201 {
  return put?.created === true && repeated !== true ? 201 : 200;
}

// ---------------------------------------------------------------------------------------------------------- reading

export async function getState(exchange: Exchange): Promise<Reply> {
  const { api, req } = exchange;
  const { id } = targetOf(exchange);
  const wanted = wantedOf(exchange);
  let reading = await api.node.state(id, freshnessOf(exchange));
  if (wanted && reading.record) {
    await api.node.watch(id, wanted.until, { waitMs: wanted.waitMs, signal: signalOf(exchange) });
    reading = await api.node.state(id, { stale: true, minIndex: 0 });
  }
  const { index, record } = reading;
  if (!record) throw new SlctError("not_found", `There is no state ${JSON.stringify(id)}.`);
  const tag = etag(record.state.version);
  if (noneMatch(req.headers["if-none-match"], tag.ETag)) {
    return { status: 304, body: "", headers: { "Slct-Index": String(index), ...tag } };
  }
  return chunks(200, stateChunks(record.state, record.data), index, tag);
}

interface Wanted {
  readonly until: Until;
  readonly waitMs: number;
}

/** What a long-poll waits for; undefined when it does not wait. */
function wantedOf({ query }: Exchange): Wanted | undefined {
  const waitMs = Math.round(numberOf(query, "wait", waitSeconds) * 1000);
  const status = statusOf(query.get("until"), "until");
  const after = query.has("after")
    ? wholeOf(query, "after", { min: 0, max: Number.MAX_SAFE_INTEGER, default: 0 })
    : undefined;
  if (waitMs === 0 || (status === undefined && after === undefined)) return undefined;
  return { waitMs, until: { ...(status && { status }), ...(after !== undefined && { after }) } };
}

function noneMatch(header: string | undefined, tag: string): boolean {
  const tags = header?.split(",").map((one) => one.trim().replace(/^W\//, ""));
  return tags?.some((one) => one === tag || one === "*") ?? false;
}

export async function listStates(exchange: Exchange): Promise<Reply> {
  const { api, query } = exchange;
  const status = statusOf(filterOf(query, "status"), "status");
  const chan = filterOf(query, "chan");
  const cursor = cursorOf(query);
  const prefix = namePrefix(query.get("prefix") ?? "", "prefix", api.rules.limits.idBytesMax);
  const limit = limitOf(query);
  if (chan !== undefined) pathChan(chan);
  await freshen(exchange);
  const index = api.node.appliedIndex;
  const page = await api.node.states({
    prefix,
    limit,
    ...(status && { status }),
    ...(chan !== undefined && { chan }),
    ...(cursor !== undefined && { cursor }),
  });
  const states = listChunks(page.states.map(({ state, data }) => stateChunks(state, data)));
  return chunks(200, [`{"States":`, ...states, `,"Cursor":${JSON.stringify(cursorText(page.cursor))}}`], index);
}

function statusOf(text: string | undefined, name: string): Status | undefined {
  const status = statuses.find((one) => one === text);
  if (text !== undefined && status === undefined) refuse(`${name} must be one of ${statuses.join(", ")}.`);
  return status;
}

// --------------------------------------------------------------------------------------------------------- deleting

export async function deleteState(exchange: Exchange): Promise<Reply> {
  const { api, query } = exchange;
  const { id, given } = targetOf(exchange);
  const force = flagOf(query, "force");
  const lock = lockOf((await bodyOf(exchange, checkHolder)).Lock, given.lock);
  await reachMinIndex(exchange);
  const committed = await api.node.submit({
    kind: "delete",
    id,
    ...mutation(given),
    ...(lock !== undefined && { lock }),
    ...(force && { force }),
  });
  accepted(committed);
  return json(200, { ID: id, Deleted: true }, committed.index);
}
