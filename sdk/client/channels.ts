/**
 * `/channel` and `/select`: make, look at, close, and the plain requests that take part in a select without a state.
 *
 * Source: protocol §4.
 */
import type { ChannelOut, ChannelsOut, ResultOut } from "../../api/contract.js";
import { readSelected, recv, send, type Case, type CaseOptions, type Cases } from "./cases.js";
import type { Received, Selected } from "./cases.js";
import { nameOf, type ChannelLike } from "./channel.js";
import type { Duration } from "./duration.js";
import { isSlctError, SlctError } from "./errors.js";
import { common, freshness, inLegs, json, mutation } from "./request.js";
import type { MutationOptions, ReadOptions, Requester } from "./request.js";

/** Options of a select without a state. */
export interface WaitOptions extends Omit<MutationOptions, "requestId">, CaseOptions {
  /** Default 0: only what is ready. May be longer than a request can wait, Infinity too. */
  readonly wait?: Duration;
}

/** Options of a select over several cases. */
export interface SelectOptions extends WaitOptions {
  /** Among cases that are ready: `random` as in Go (default), or the first in `order`. */
  readonly choice?: "random" | "order";
}

/** Which channels are listed; in the order of their names. */
export interface ListChannelsOptions extends ReadOptions {
  readonly prefix?: string;
  readonly cursor?: string;
  /** 1–1000, default 100. */
  readonly limit?: number;
}

/** For calls that do not look at values. */
type AnyChannel = ChannelLike<never, unknown>;

export type ChannelCalls = ReturnType<typeof plainCalls> & ReturnType<typeof channelRecords>;

export function channelCalls(requester: Requester): ChannelCalls {
  return { ...plainCalls(requester), ...channelRecords(requester) };
}

/** Selects without a state around them. */
function plainCalls(requester: Requester) {
  const { transport } = requester;

  /** One anonymous select, asked again as long as the caller waits. */
  async function run(
    options: SelectOptions,
    request: (elapsedMs: number) => { readonly path: string; readonly body?: object },
  ): Promise<ResultOut> {
    const result = await inLegs(requester, options.wait ?? 0, async ({ waitMs, elapsedMs }) => {
      const query = { wait: waitMs / 1000 };
      const given = { ...request(elapsedMs), query, waitMs, ...mutation(requester, options) };
      try {
        return json<ResultOut>(await transport.send({ method: "POST", ...given }));
      } catch (error) {
        if (isSlctError(error, "not_ready")) return undefined;
        throw error;
      }
    });
    if (result === undefined) throw new SlctError("not_ready", "No case was ready within the wait.", { status: 409 });
    return result;
  }

  async function runCases(cases: readonly Case<unknown>[], options: SelectOptions): Promise<ResultOut> {
    for (const one of cases) await one.check?.();
    const Choice = options.choice;
    return run(options, (elapsedMs) => ({
      path: "/select",
      body: { Cases: cases.map((one) => one.body(elapsedMs)), Choice },
    }));
  }

  return {
    /**
     * Waits for exactly one of these cases; the others leave no trace.
     * @throws SlctError `not_ready` when the wait ends: nothing was taken or given
     */
    async select<C extends Cases>(cases: C, options: SelectOptions = {}): Promise<Selected<C>> {
      return readSelected(cases, await runCases(Object.values(cases), options));
    },

    /** Sends a value. @throws SlctError `not_ready` when nobody receives in time, `closed`, `invalid_value` */
    async send<T>(chan: ChannelLike<T, unknown>, value: T, options: WaitOptions = {}): Promise<void> {
      const one = send(chan, value, options);
      if (options.notBefore !== undefined) return void (await one.read(await runCases([one], options)));
      const path = `${channelPath(chan)}/send`;
      await one.check?.();
      await one.read(await run(options, () => ({ path, body: { Data: value } })));
    },

    /** Receives a value. @throws SlctError `not_ready` when nobody sends in time, `invalid_value` */
    async recv<T>(chan: ChannelLike<never, T>, options: WaitOptions = {}): Promise<Received<T>> {
      const one = recv(chan, options);
      if (options.notBefore !== undefined) return one.read(await runCases([one], options));
      const path = `${channelPath(chan)}/recv`;
      return one.read(await run(options, () => ({ path })));
    },
  };
}

function channelRecords(requester: Requester) {
  const { transport } = requester;

  async function listChannels(options: ListChannelsOptions = {}): Promise<ChannelsOut> {
    const { prefix, cursor, limit } = options;
    const query = { prefix, cursor, limit, ...freshness(options) };
    return json(await transport.send({ method: "GET", path: "/channel", query, ...common(options) }));
  }

  async function getChannel(chan: AnyChannel, options: ReadOptions = {}): Promise<ChannelOut> {
    const query = freshness(options);
    return json(await transport.send({ method: "GET", path: channelPath(chan), query, ...common(options) }));
  }

  return {
    /** A channel with a buffer; making it again is fine. @throws SlctError `exists` with another buffer, `closed` */
    async makeChannel(chan: AnyChannel, buffer: number, options: MutationOptions = {}): Promise<ChannelOut> {
      const body = { Buffer: buffer };
      const path = channelPath(chan);
      try {
        return json(await transport.send({ method: "PUT", path, body, ...mutation(requester, options) }));
      } catch (error) {
        if (!isSlctError(error, "exists")) throw error;
        // The service refuses what somebody waits at, of whatever size.
        const there = await getChannel(chan, options);
        if (there.Buffer !== buffer) throw error;
        return there;
      }
    },

    /** Receivers, those that wait and those that come, get `value`. @throws SlctError `closed` the second time */
    async closeChannel(chan: AnyChannel, value?: unknown, options: MutationOptions = {}): Promise<ChannelOut> {
      const body = value === undefined ? {} : { Value: value };
      const path = `${channelPath(chan)}/close`;
      return json(await transport.send({ method: "POST", path, body, ...mutation(requester, options) }));
    },

    /** Forgets a channel. @throws SlctError `busy` unless it is idle, `not_found` */
    async deleteChannel(chan: AnyChannel, options: MutationOptions = {}): Promise<void> {
      await transport.send({ method: "DELETE", path: channelPath(chan), ...mutation(requester, options) });
    },

    /** Buffer, values and waiters of a channel. @throws SlctError `not_found` for a name that nobody uses */
    getChannel,

    /** One page. */
    listChannels,

    /** All pages. */
    async *channels(options: ListChannelsOptions = {}): AsyncGenerator<ChannelOut> {
      let cursor = options.cursor;
      do {
        const page = await listChannels({ ...options, ...(cursor !== undefined && { cursor }) });
        yield* page.Channels;
        cursor = page.Cursor ?? undefined;
      } while (cursor !== undefined);
    },
  };
}

function channelPath(chan: ChannelLike<never, unknown>): string {
  const name = nameOf(chan);
  if (name === null) throw new SlctError("bad_id", "A channel without a name takes part in a select only.");
  return `/channel/${encodeURIComponent(name)}`;
}
