/**
 * Plain requests: a send, a receive or a select without a state around it.
 *
 * Source: protocol §4. Each is one anonymous select; when its wait ends it is withdrawn through the log, so the value is
 * either in the answer or where it was.
 */
import { SlctError } from "../src/errors.js";
import type { CaseSpec, Choice, Result } from "../src/select/types.js";
import { accepted, bodyOf, chanOf, chunks, neededBodyOf, reachMinIndex, signalOf } from "./exchange.js";
import type { Exchange, Reply } from "./exchange.js";
import { refusalError } from "./problem.js";
import { numberOf, preconditionsOf } from "./query.js";
import { checkEmpty, checkPlainSelect, checkSend } from "./schema.js";
import { waitSeconds } from "./state.js";
import { mutation } from "./wire-commands.js";
import { parseCases, valueData } from "./wire-in.js";
import { resultChunks } from "./wire-out.js";

interface PlainSelect {
  /** Scopes its Request-Id: two routes or channels never share one. */
  readonly route: string;
  readonly cases: readonly CaseSpec[];
  readonly choice: Choice;
}

export async function sendValue(exchange: Exchange): Promise<Reply> {
  const chan = chanOf(exchange);
  const { Data } = await bodyOf(exchange, checkSend);
  return run(exchange, {
    route: `POST /channel/${chan}/send`,
    cases: [{ op: "send", chan, ...valueData(Data) }],
    choice: "random",
  });
}

export async function receiveValue(exchange: Exchange): Promise<Reply> {
  const chan = chanOf(exchange);
  await bodyOf(exchange, checkEmpty);
  return run(exchange, { route: `POST /channel/${chan}/recv`, cases: [{ op: "recv", chan }], choice: "random" });
}

export async function selectCases(exchange: Exchange): Promise<Reply> {
  const { Cases, Choice } = await neededBodyOf(exchange, checkPlainSelect);
  return run(exchange, {
    route: "POST /select",
    cases: parseCases(Cases, "Cases", exchange.api.rules.limits.casesMax),
    choice: Choice ?? "random",
  });
}

async function run(exchange: Exchange, select: PlainSelect): Promise<Reply> {
  const { api, req, query } = exchange;
  const { requestId } = preconditionsOf(req);
  const command = { kind: "select", ...mutation(requestId === undefined ? {} : { requestId }), ...select } as const;
  const waitMs = Math.round(numberOf(query, "wait", waitSeconds) * 1000);
  await reachMinIndex(exchange);
  if (waitMs === 0) {
    const committed = await api.node.submit(command);
    const { answer } = accepted(committed);
    if (answer.kind !== "result") throw notReady();
    return resultReply(answer.result, committed.index);
  }
  const signal = signalOf(exchange);
  const waited = await api.node.submitAndWait((ref) => ({ ...command, wait: { ref } }), { waitMs, signal });
  switch (waited.kind) {
    case "refused":
      throw refusalError(waited.outcome);
    case "result":
      return resultReply(waited.result, waited.index);
    case "answer":
      if (waited.outcome.answer.kind === "result") return resultReply(waited.outcome.answer.result, waited.index);
      throw notReady();
    case "withdrawn":
      throw notReady();
    case "granted":
      throw new SlctError("internal", "a plain request was answered with a state");
  }
}

function resultReply(result: Result, index: number): Reply {
  return chunks(200, resultChunks(result), index);
}

function notReady(): SlctError {
  return new SlctError("not_ready", "No case was ready within the wait.");
}
