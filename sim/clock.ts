/**
 * The clocks of one node: a monotonic one that runs a little fast or slow, and a wall clock that drifts, swings or jumps.
 */

/** How the wall clock is off, beside the jumps that faults make. Source: TigerBeetle's testing/time.zig. */
export interface ClockConfig {
  /** Of the monotonic clock, around 1. */
  readonly rate: number;
  readonly offsetMs: number;
  /** Of the wall clock against the true time. */
  readonly drift: number;
  /** A triangle wave. */
  readonly swingMs: number;
  readonly swingPeriodMs: number;
}

/** The wall clock at the beginning of every run. */
export const wallStartMs = 1_700_000_000_000;

export class NodeClock {
  readonly #config: ClockConfig;
  #steppedMs = 0;

  constructor(config: ClockConfig) {
    this.#config = config;
  }

  monotonicMs(trueMs: number): number {
    return trueMs * this.#config.rate;
  }

  /** How long a timer of `ms` takes in true time. */
  trueDelay(ms: number): number {
    return Math.max(0, ms) / this.#config.rate;
  }

  wallMs(trueMs: number): number {
    const { offsetMs, drift, swingMs, swingPeriodMs } = this.#config;
    const phase = (trueMs % swingPeriodMs) / swingPeriodMs;
    const swing = swingMs * (phase < 0.5 ? 4 * phase - 1 : 3 - 4 * phase);
    return Math.floor(wallStartMs + trueMs * (1 + drift) + offsetMs + swing + this.#steppedMs);
  }

  /** The wall clock is set. */
  step(byMs: number): void {
    this.#steppedMs += byMs;
  }
}
