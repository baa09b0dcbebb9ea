/**
 * What is wrong with this node and needs a human: shown in `GET /cluster`, as a metric and in the log until it is over.
 *
 * Only what lasts is an alarm. Meaning and remedy of each kind: docs/operations.md.
 */
import type { Logger } from "pino";

export const alarmKinds = ["disk_low", "disk_critical", "state_mismatch", "store_damaged", "clock_skew"] as const;

export type AlarmKind = (typeof alarmKinds)[number];

export interface Alarm {
  readonly kind: AlarmKind;
  /** Wall clock when it was raised. */
  readonly sinceMs: number;
  /** For people. */
  readonly about: string;
}

export interface AlarmsOptions {
  readonly logger: Pick<Logger, "warn" | "info">;
  /** Unix ms. */
  readonly wallMs: () => number;
}

export class Alarms {
  readonly #options: AlarmsOptions;
  readonly #standing = new Map<AlarmKind, Alarm>();

  constructor(options: AlarmsOptions) {
    this.#options = options;
  }

  /** Oldest first. */
  get list(): readonly Alarm[] {
    return [...this.#standing.values()];
  }

  has(kind: AlarmKind): boolean {
    return this.#standing.has(kind);
  }

  /** If it stands already, only what is said about it changes. */
  raise(kind: AlarmKind, about: string): void {
    const standing = this.#standing.get(kind);
    this.#standing.set(kind, { kind, sinceMs: standing?.sinceMs ?? this.#options.wallMs(), about });
    if (standing === undefined) this.#options.logger.warn({ event: "alarm", alarm: kind }, about);
  }

  clear(kind: AlarmKind): void {
    const standing = this.#standing.get(kind);
    if (!this.#standing.delete(kind)) return;
    this.#options.logger.info({ event: "alarm over", alarm: kind }, `over: ${standing?.about}`);
  }
}
