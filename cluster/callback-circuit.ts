/**
 * What this node remembers of the hosts it calls, so that a dead or slow one keeps no more than its share of the slots.
 *
 * A host that could not be reached several times in a row is left alone for a while, then tried with one call. Only such
 * a try makes the next pause longer: calls that were under way together tell of one incident, however many they were.
 */
export interface CircuitOptions {
  /** Calls to one host at once. */
  readonly inFlightMax: number;
  readonly firstMs: number;
  /** No pause is longer. */
  readonly maxMs: number;
  readonly factor: number;
  readonly random: () => number;
}

interface Host {
  inFlight: number;
  /** Calls in a row that did not reach it, while it is not left alone. */
  failures: number;
  /** Pauses in a row. */
  pauses: number;
  blockedUntilMs: number;
}

/** A call under way: `pauses` its host had had when it began. */
export interface Attempt {
  readonly host: string;
  readonly pauses: number;
}

/** So many failures in a row open the circuit. With fewer, each state's own backoff is enough. */
const failuresMax = 5;
const hostsMax = 10_000;

export class Circuits {
  readonly #options: CircuitOptions;
  readonly #hosts = new Map<string, Host>();

  constructor(options: CircuitOptions) {
    this.#options = options;
  }

  /** How long the host is to be left alone; 0: it may be called. */
  blockedMs(host: string, nowMs: number): number {
    return Math.max(0, (this.#hosts.get(host)?.blockedUntilMs ?? 0) - nowMs);
  }

  hasRoom(host: string): boolean {
    const known = this.#hosts.get(host);
    if (known === undefined) return true;
    return known.inFlight < (known.pauses > 0 ? 1 : this.#options.inFlightMax);
  }

  started(host: string): Attempt {
    let known = this.#hosts.get(host);
    if (known === undefined)
      this.#hosts.set(host, (known = { inFlight: 0, failures: 0, pauses: 0, blockedUntilMs: 0 }));
    known.inFlight++;
    return { host, pauses: known.pauses };
  }

  ended({ host, pauses }: Attempt, reached: boolean, nowMs: number): void {
    const known = this.#hosts.get(host);
    if (known === undefined) return;
    known.inFlight--;
    if (reached) Object.assign(known, { failures: 0, pauses: 0, blockedUntilMs: 0 });
    else if (pauses === known.pauses) this.#failed(known, nowMs);
    if (known.inFlight === 0 && (reached || this.#hosts.size > hostsMax)) this.#hosts.delete(host);
  }

  #failed(host: Host, nowMs: number): void {
    host.failures++;
    if (host.pauses === 0 && host.failures < failuresMax) return;
    const { firstMs, maxMs, factor, random } = this.#options;
    host.blockedUntilMs = nowMs + Math.min(maxMs, firstMs * factor ** host.pauses) * (0.5 + random() / 2);
    host.pauses++;
  }
}
