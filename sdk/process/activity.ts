/**
 * Activities: typed tasks for whoever works on their queue, with heartbeats, and ends that come from elsewhere.
 *
 * A task is a process of its own, named after the queue, whose code is one step. So it has everything that processes have:
 * a state to look at, a result that many may await, cancellation, retries, and `startAt`.
 */
import type { Json } from "../../api/contract.js";
import { validate, type StandardSchema } from "../client/channel.js";
import { durationMs, type Duration } from "../client/duration.js";
import { Failure } from "../client/errors.js";
import { checkProcessName, heartbeatChannel } from "../client/names.js";
import type { ProcessRef } from "../client/process-data.js";
import type { Awaiting, ProcessContext, RetryPolicy, StepContext } from "./context.js";
import { process, type ProcessDefinition } from "./definition.js";

/** Limits of an activity, as its callers know them. */
export interface ActivityOptions<Output> {
  /** Of failed attempts; default as for steps. */
  readonly retry?: RetryPolicy;
  /** One attempt; with {@link ActivityContext.pending} also the wait after it. */
  readonly timeout?: Duration;
  /** Who is silent for this long has failed; while the end is pending, whoever has the token must not be silent. */
  readonly heartbeat?: Duration;
  /** What comes back is checked by it, wherever it comes from: another attempt follows, or the Failure `invalid_value`. */
  readonly result?: StandardSchema<unknown, Output>;
}

/** An activity as its callers know it: called like a process. If its caller ends first, it is cancelled. */
export interface Activity<Input, Output> extends ProcessRef<Input, Output> {
  readonly queue: string;
  readonly activity: string;
  readonly options: ActivityOptions<Output>;
}

/** What the function of an activity is given beside its input. */
export interface ActivityContext extends StepContext {
  /** For `client.resolve`, `client.reject` and `client.heartbeat`, from anywhere. */
  readonly token: string;
  /** Return it: the end comes later, by the token. */
  pending(): Pending;
}

/** Made by {@link ActivityContext.pending}. */
export interface Pending {
  readonly "~pending": true;
}

/** An activity and the function that does it, for a worker. */
export interface Implementation {
  readonly activity: Activity<never, unknown>;
  readonly run: (input: never, context: ActivityContext) => unknown;
}

/** What a task is given: a limit holds as the caller knows it. */
interface Task {
  readonly activity: string;
  readonly input: Json;
  readonly timeout?: Duration;
  readonly heartbeat?: Duration;
  readonly retry?: Omit<RetryPolicy, "never"> & { readonly never?: readonly string[] };
}

type End = { readonly value: Json } | { readonly pending: true };

/** Tasks have one version: what they do is not replayed. */
const version = "1";

/**
 * A typed task for the workers of a queue: to be called like a process, done by {@link implement}.
 * ```ts
 * const charge = activity<{ amount: number }, string>("bank", "charge", { timeout: "1m", heartbeat: "10s" });
 * const receipt = await p.call(charge, { amount: 30 });
 * ```
 * @throws SlctError `bad_id` unless the queue is made of letters, digits, `_`, `-` and `.`
 */
export function activity<Input = null, Output = void>(
  queue: string,
  name: string,
  options: ActivityOptions<Output> = {},
): Activity<Input, Output> {
  checkProcessName(queue);
  const { timeout, heartbeat, retry } = options;
  const limits = { ...(timeout !== undefined && { timeout }), ...(heartbeat !== undefined && { heartbeat }) };
  const wrap = (input: Input): Json => {
    const { never, ...others } = retry ?? {};
    // Functions stay with the worker, which has them from the implementation.
    const sent = { ...others, ...(Array.isArray(never) && { never: never as readonly string[] }) };
    return { activity: name, input: input as Json, ...limits, ...(retry && { retry: sent }) };
  };
  return { name: queue, version, queue, activity: name, options, wrap, bound: true };
}

/** An activity with the function that does it: `worker({ activities: [implement(charge, async ({ amount }, a) => …)] })`. */
export function implement<Input, Output>(
  activity: Activity<Input, Output>,
  run: (input: Input, context: ActivityContext) => Promise<Output | Pending> | Output | Pending,
): Implementation {
  return { activity: activity, run };
}

/** One process for each queue. @throws Error for an activity that is there twice */
export function queuesOf(implementations: readonly Implementation[]): readonly ProcessDefinition<never, unknown>[] {
  const queues = new Map<string, Map<string, Implementation>>();
  for (const one of implementations) {
    const { queue, activity: name } = one.activity;
    const known = queues.get(queue) ?? new Map<string, Implementation>();
    if (known.has(name)) throw new Error(`activity ${name} of queue ${queue} is there twice`);
    queues.set(queue, known.set(name, one));
  }
  return [...queues].map(([queue, known]) =>
    process<never, Json>(queue, { version }, (p, task) => perform(p, task, known)),
  );
}

async function perform(p: ProcessContext, task: Task, known: ReadonlyMap<string, Implementation>): Promise<Json> {
  const { activity: name, input, retry: sent } = task;
  const found = known.get(name);
  if (found === undefined) {
    throw new Failure(`queue ${p.info.name} has no activity ${name}`, { code: "unknown_activity" });
  }
  const promise = p.promise();
  const { retry: own, result: schema } = found.activity.options;
  const never = own?.never ?? sent?.never;
  const step = async (context: StepContext): Promise<End> => {
    const value = await found.run(input as never, { ...context, token: promise.id, pending: () => pendingMark });
    return value === pendingMark ? { pending: true } : { value: ((await checked(value, schema)) ?? null) as Json };
  };
  const { timeout, heartbeat } = task;
  const retry = { ...sent, ...(never !== undefined && { never }) };
  const limits = { ...(timeout !== undefined && { timeout }), ...(heartbeat !== undefined && { heartbeat }) };
  const end = await p.step(name, step, { retry, ...limits });
  if ("value" in end) return end.value;
  const value = await settled(p, promise, task);
  if (schema === undefined) return value;
  return p.step("check", async () => (await checked(value, schema)) as Json, { retry: { attempts: 1 } });
}

const pendingMark: Pending = { "~pending": true };

function checked(value: unknown, schema: StandardSchema | undefined): unknown {
  return schema === undefined ? value : validate({ name: "result", schema }, value);
}

/** Until somebody who has the token ends it, or is silent for too long. */
function settled(p: ProcessContext, promise: Awaiting<Json>, { activity, timeout, heartbeat }: Task): Promise<Json> {
  const endAt = timeout === undefined ? undefined : p.now() + durationMs(timeout);
  return p.loop<Json, Json>(null, async (said, inner) => {
    const event = await inner.select({
      end: promise,
      beat: inner.recv(heartbeatChannel(promise.id)),
      silent: heartbeat === undefined ? inner.recv(null) : inner.after(heartbeat),
      late: endAt === undefined ? inner.recv(null) : inner.at(endAt),
    });
    if (event.tag === "end") {
      if (event.ok) return inner.done(event.value);
      throw event.error;
    }
    if (event.tag === "beat") return event.ok ? event.value : said;
    const [kind, what] = event.tag === "silent" ? ["heartbeat", "was silent for"] : ["step", "took"];
    const message = `${activity} ${what} longer than ${event.tag === "silent" ? heartbeat : timeout}`;
    throw new Failure(message, { code: "timeout", details: { Kind: kind ?? "", Details: said } });
  });
}
