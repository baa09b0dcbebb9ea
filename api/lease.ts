/**
 * Handing out and holding: poll, heartbeat, lease by hand, giving back, pause and resume.
 *
 * Source: protocol §3.
 */
import { SlctError } from "../src/errors.js";
import type { HandOut } from "../src/select/outcome.js";
import { accepted, bodyOf, chunks, etag, expectAnswer, json, reachMinIndex, signalOf, targetOf } from "./exchange.js";
import type { Exchange, Reply } from "./exchange.js";
import { listChunks } from "./json-chunks.js";
import { refusalError } from "./problem.js";
import { clamp, numberOf, wholeOf } from "./query.js";
import { checkHolder, checkLock, checkPause } from "./schema.js";
import { leaseSeconds, waitSeconds } from "./state.js";
import { lockCommand, lockOf, mutation } from "./wire-commands.js";
import { namePrefix, plainText } from "./wire-values.js";
import { handOutChunks } from "./wire-out.js";

const pollItems = { min: 1, max: 100, default: 1 } as const;
/** Up to a year. */
const delaySeconds = { min: 0, max: 365 * 86_400, default: 0 } as const;

export async function pollStates(exchange: Exchange): Promise<Reply> {
  const { api, query } = exchange;
  const prefix = namePrefix(query.get("prefix") ?? "", "prefix", api.rules.limits.idBytesMax);
  const wait = numberOf(query, "wait", waitSeconds);
  const max = wholeOf(query, "max", pollItems);
  const lease = numberOf(query, "lease", leaseSeconds);
  await reachMinIndex(exchange);
  const waited = await api.node.submitAndWait(
    (ref) => ({
      kind: "demand",
      for: "poll",
      prefix,
      max,
      leaseMs: Math.round(lease * 1000),
      park: wait > 0,
      ref,
    }),
    { waitMs: Math.round(wait * 1000), signal: signalOf(exchange) },
  );
  switch (waited.kind) {
    case "refused":
      throw refusalError(waited.outcome);
    case "granted":
      return handOutsReply(waited.handOuts, waited.index);
    case "answer":
      return handOutsReply(expectAnswer(waited.outcome.answer, "handOuts").handOuts, waited.index);
    case "withdrawn":
      return handOutsReply([], waited.index);
    case "result":
      throw new SlctError("internal", "a poll was answered with the result of a plain request");
  }
}

function handOutsReply(handOuts: readonly HandOut[], index: number): Reply {
  return chunks(200, listChunks(handOuts.map(handOutChunks)), index);
}

/** With a lock a heartbeat, without one a lease by hand. */
export async function lockState(exchange: Exchange): Promise<Reply> {
  const { api } = exchange;
  const { id, given } = targetOf(exchange);
  const body = await bodyOf(exchange, checkLock);
  const forMs = Math.round(clamp(body.For ?? leaseSeconds.default, leaseSeconds) * 1000);
  await reachMinIndex(exchange);
  const committed = await api.node.submit(lockCommand(body, { id, given, forMs }));
  const { answer } = accepted(committed);
  if (answer.kind === "handOuts") {
    const [handOut] = answer.handOuts;
    if (handOut) return chunks(200, handOutChunks(handOut), committed.index, etag(handOut.state.version));
  }
  const { token, untilMs } = expectAnswer(answer, "lease");
  return json(200, { Lock: token, LockUntil: untilMs }, committed.index);
}

export async function unlockState(exchange: Exchange): Promise<Reply> {
  const { id, given } = targetOf(exchange);
  const delay = numberOf(exchange.query, "delay", delaySeconds);
  const lock = lockOf((await bodyOf(exchange, checkHolder)).Lock, given.lock);
  return change(exchange, {
    kind: "unlock",
    id,
    ...mutation(given),
    ...(lock !== undefined && { lock }),
    delayMs: Math.round(delay * 1000),
  });
}

export async function pauseState(exchange: Exchange): Promise<Reply> {
  const { id, given } = targetOf(exchange);
  const { Reason } = await bodyOf(exchange, checkPause);
  const reason = Reason == null ? "requested" : plainText(Reason, "Reason", 1024);
  return change(exchange, { kind: "pause", id, ...mutation(given), reason });
}

export async function resumeState(exchange: Exchange): Promise<Reply> {
  const { id, given } = targetOf(exchange);
  return change(exchange, { kind: "resume", id, ...mutation(given) });
}

async function change(exchange: Exchange, command: Parameters<typeof exchange.api.node.submit>[0]): Promise<Reply> {
  await reachMinIndex(exchange);
  const committed = await exchange.api.node.submit(command);
  const { id, status, version } = expectAnswer(accepted(committed).answer, "state");
  return json(200, { ID: id, Status: status, Version: version }, committed.index, etag(version));
}
