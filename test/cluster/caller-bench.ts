/**
 * One caller of callbacks, allowed to reach 127.0.0.1.
 */
import { Caller, type CallerOptions, type CallResult } from "../../cluster/callback-call.js";
import { parseAllow } from "../../cluster/callback-guard.js";
import { onCleanUp } from "./cleanup.js";
import { receive, type Answerer } from "./receiver.js";

export function createCaller(options: Partial<CallerOptions> = {}): Caller {
  const caller = new Caller({
    allow: parseAllow(["127.0.0.1"]),
    resolve: () => Promise.reject(new Error("no name was expected")),
    timeoutMs: 20_000,
    responseBytesMax: 1000,
    socketsPerHost: 2,
    now: () => 1_000_000,
    ...options,
  });
  onCleanUp(() => caller.close());
  return caller;
}

const never = new AbortController().signal;
export const call = (caller: Caller, uri: string, signal: AbortSignal = never): Promise<CallResult> =>
  caller.call({ uri, headers: { "webhook-id": "a:1" }, body: Buffer.from('{"ID":"a"}'), signal });

export async function answered(answer: Answerer, options: Partial<CallerOptions> = {}): Promise<CallResult> {
  const receiver = await receive(answer);
  return call(createCaller(options), receiver.url);
}
