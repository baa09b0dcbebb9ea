/**
 * What a node takes from its surroundings beside disk and network: clocks, timers and chance.
 *
 * Everything in this folder that waits or draws gets it from here, so that a node runs in the simulator as it does in
 * production. Only sockets, files and HTTP calls use the real clock directly.
 */
import { randomBytes } from "node:crypto";

export type Cancel = () => void;

export interface Time {
  /** Wall clock, unix ms. It may jump. */
  wallMs(): number;
  /** Monotonic, ms. */
  nowMs(): number;
  /** Calls once. Does not keep the process alive. */
  after(ms: number, run: () => void): Cancel;
  /** Calls again and again until it is cancelled. */
  every(ms: number, run: () => void): Cancel;
  /** Calls once, when everything that is at hand is done. */
  soon(run: () => void): void;
}

export interface Environment {
  readonly time: Time;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** 16 bytes that nobody can guess. */
  readonly secret: () => Uint8Array;
}

export const systemTime: Time = {
  wallMs: () => Date.now(),
  nowMs: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
  soon: (run) => void setImmediate(run),
};

/** CPU that this process took, all its threads, ms. To be looked at, not to decide by: it is no part of {@link Time}. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

export const systemEnvironment: Environment = {
  time: systemTime,
  random: () => Math.random(),
  secret: () => randomBytes(16),
};

export function pause(time: Time, ms: number): Promise<void> {
  return new Promise((resolve) => void time.after(ms, resolve));
}
