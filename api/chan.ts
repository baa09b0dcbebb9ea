/**
 * `/channel`: make, look at, list, close, delete.
 *
 * Source: protocol §4.
 */
import { SlctError } from "../src/errors.js";
import type { Command } from "../src/select/command.js";
import { accepted, bodyOf, chanOf, expectAnswer, freshen, freshnessOf, json, reachMinIndex } from "./exchange.js";
import type { Exchange, Reply } from "./exchange.js";
import { cursorOf, cursorText, limitOf, preconditionsOf } from "./query.js";
import { checkBuffer, checkClose } from "./schema.js";
import { mutation } from "./wire-commands.js";
import { closeValue, parseBuffer } from "./wire-in.js";
import { chanBytesMax, namePrefix } from "./wire-values.js";
import { channelOut } from "./wire-out.js";

export async function makeChan(exchange: Exchange): Promise<Reply> {
  const chan = chanOf(exchange);
  const given = mutation(preconditionsOf(exchange.req));
  const buffer = parseBuffer((await bodyOf(exchange, checkBuffer)).Buffer, "Buffer");
  return changed(exchange, { kind: "make", ...given, chan, buffer });
}

export async function closeChan(exchange: Exchange): Promise<Reply> {
  const chan = chanOf(exchange);
  const given = mutation(preconditionsOf(exchange.req));
  const { Value } = await bodyOf(exchange, checkClose);
  return changed(exchange, { kind: "close", ...given, chan, ...closeValue(Value) });
}

/** Only a channel that is made newly has status 201; closing one is a change even when it creates the record. */
async function changed(exchange: Exchange, command: Extract<Command, { kind: "make" | "close" }>): Promise<Reply> {
  await reachMinIndex(exchange);
  const committed = await exchange.api.node.submit(command);
  const { answer, repeated } = accepted(committed);
  const { chan, created } = expectAnswer(answer, "chan");
  const status = command.kind === "make" && created && repeated !== true ? 201 : 200;
  // As of its entry: what is made has no waiters, and closing wakes them all.
  return json(status, channelOut(chan), committed.index);
}

export async function dropChan(exchange: Exchange): Promise<Reply> {
  const chan = chanOf(exchange);
  const given = mutation(preconditionsOf(exchange.req));
  await reachMinIndex(exchange);
  const committed = await exchange.api.node.submit({ kind: "drop", ...given, chan });
  accepted(committed);
  return json(200, { Chan: chan, Deleted: true }, committed.index);
}

export async function getChan(exchange: Exchange): Promise<Reply> {
  const name = chanOf(exchange);
  const { index, record } = await exchange.api.node.chan(name, freshnessOf(exchange));
  if (!record) throw new SlctError("not_found", `There is no channel ${JSON.stringify(name)}.`);
  return json(200, channelOut(record.chan, record.oldestWaiterMs), index);
}

export async function listChans(exchange: Exchange): Promise<Reply> {
  const { api, query } = exchange;
  const prefix = namePrefix(query.get("prefix") ?? "", "prefix", chanBytesMax);
  const limit = limitOf(query);
  const cursor = cursorOf(query);
  await freshen(exchange);
  const index = api.node.appliedIndex;
  const page = await api.node.chans({ prefix, limit, ...(cursor !== undefined && { cursor }) });
  const channels = page.chans.map(({ chan, oldestWaiterMs }) => channelOut(chan, oldestWaiterMs));
  return json(200, { Channels: channels, Cursor: cursorText(page.cursor) }, index);
}
