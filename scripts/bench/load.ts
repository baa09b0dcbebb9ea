/**
 * Load on a subject: a closed loop (each worker asks again as soon as it was answered) or an open one (requests begin at
 * a fixed rate, whatever became of those before).
 *
 * In the open loop a request's latency counts from the moment it should have begun: one that had to wait because the
 * service was slow has waited, and a stall is seen by every request that fell into it, not by one per connection.
 */
import type { Workload } from "./workload.js";

export interface Clock {
  nowMs(): number;
  /** Resolves once `nowMs()` is at least `timeMs`. */
  untilMs(timeMs: number): Promise<void>;
}

export const machineClock: Clock = {
  nowMs: () => performance.now(),
  // Resolution 1 ms: requests of an open loop that fall into the same millisecond begin together, and late by up to it.
  untilMs: (timeMs) => new Promise((resolve) => setTimeout(resolve, Math.max(0, timeMs - performance.now()))),
};

/** What happened in the window that counts. */
export class Samples {
  readonly fromMs: number;
  /** Set earlier, it ends a loop that runs. */
  toMs: number;
  /** Of the operations that began in the window. */
  readonly latenciesMs: number[] = [];
  /** Those that ended in the window. */
  operations = 0;
  /** Those of an open loop that should have begun in the window and had no answer when it was given up. */
  unanswered = 0;

  constructor(window: { readonly fromMs: number; readonly toMs: number }) {
    this.fromMs = window.fromMs;
    this.toMs = window.toMs;
  }

  add(beganMs: number, endedMs: number, done: number): void {
    if (done === 0) return;
    if (this.#isInside(endedMs)) this.operations += done;
    if (this.#isInside(beganMs)) this.latenciesMs.push(endedMs - beganMs);
  }

  /** Its latency is what it has waited so far: leaving it out would flatter. */
  giveUp(beganMs: number, nowMs: number): void {
    if (!this.#isInside(beganMs)) return;
    this.unanswered++;
    this.latenciesMs.push(nowMs - beganMs);
  }

  #isInside(timeMs: number): boolean {
    return timeMs >= this.fromMs && timeMs < this.toMs;
  }
}

export interface Loop<C> {
  readonly connections: readonly C[];
  readonly workload: Pick<Workload<C>, "step">;
  readonly samples: Samples;
  readonly clock: Clock;
}

export async function closedLoop<C>({ connections, workload, samples, clock }: Loop<C>): Promise<void> {
  const workers = connections.map(async (connection, worker) => {
    for (let round = 0; clock.nowMs() < samples.toMs; round++) {
      const beganMs = clock.nowMs();
      const done = await workload.step(connection, worker, round);
      samples.add(beganMs, clock.nowMs(), done);
    }
  });
  await Promise.all(workers);
}

/** How long an open loop waits for the answers that are still open when its time is over. */
export const drainMs = 10_000;

export interface Rate {
  readonly perSecond: number;
  readonly startMs: number;
}

export async function openLoop<C>(loop: Loop<C>, { perSecond, startMs }: Rate): Promise<void> {
  const { connections, workload, samples, clock } = loop;
  const idle = connections.map((_, worker) => worker);
  const inFlight = new Map<number, number>();
  const running = new Set<Promise<void>>();
  let due: number[] = [];
  let failure: unknown;
  let round = 0;
  const serve = async (worker: number, connection: C): Promise<void> => {
    for (let beganMs = due.shift(); beganMs !== undefined; beganMs = due.shift()) {
      inFlight.set(worker, beganMs);
      const done = await workload.step(connection, worker, round++);
      samples.add(beganMs, clock.nowMs(), done);
      inFlight.delete(worker);
    }
    idle.push(worker);
  };
  const begin = (beganMs: number): void => {
    due.push(beganMs);
    // In turn: one that is left idle for long is closed by the server.
    const worker = idle.shift();
    const connection = worker === undefined ? undefined : connections[worker];
    if (worker === undefined || connection === undefined) return;
    const served = serve(worker, connection).catch((error: unknown) => void (failure ??= error));
    running.add(served);
    void served.then(() => running.delete(served));
  };
  for (let n = 0; ; n++) {
    const beganMs = startMs + (n * 1000) / perSecond;
    if (beganMs >= samples.toMs) break;
    if (beganMs > clock.nowMs()) await clock.untilMs(beganMs);
    if (failure !== undefined) break;
    begin(beganMs);
  }
  await Promise.race([Promise.all(running), clock.untilMs(samples.toMs + drainMs)]);
  for (const beganMs of [...due, ...inFlight.values()]) samples.giveUp(beganMs, clock.nowMs());
  due = [];
  if (failure !== undefined) throw failure as Error;
}
