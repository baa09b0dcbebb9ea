/**
 * What this node remembers of the hosts it calls, so that a dead or slow one keeps no more than its share of the slots.
 *
 * A host that could not be reached several times in a row is left alone for a while, then tried with one call.
 */
export interface CircuitOptions {
  /** Calls to one host at once. */
  readonly inFlightMax: number;
  readonly firstMs: number;
  readonly factor: number;
  readonly random: () => number;
}

interface Host {
  inFlight: number;
  /** Calls in a row that did not reach it. */
  failures: number;
  blockedUntilMs: number;
}

/** So many failures in a row open the circuit. With fewer, each state's own backoff is enough. */
const failuresMax = 5;
const blockedMsMax = 30_000;
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
    return known.inFlight < (known.failures >= failuresMax ? 1 : this.#options.inFlightMax);
  }

  started(host: string): void {
    const known = this.#hosts.get(host);
    if (known !== undefined) known.inFlight++;
    else this.#hosts.set(host, { inFlight: 1, failures: 0, blockedUntilMs: 0 });
  }

  ended(host: string, reached: boolean, nowMs: number): void {
    const known = this.#hosts.get(host);
    if (known === undefined) return;
    known.inFlight--;
    known.failures = reached ? 0 : known.failures + 1;
    if (known.failures >= failuresMax) known.blockedUntilMs = nowMs + this.#pauseMs(known.failures);
    if (reached) known.blockedUntilMs = 0;
    if (known.inFlight === 0 && (reached || this.#hosts.size > hostsMax)) this.#hosts.delete(host);
  }

  #pauseMs(failures: number): number {
    const { firstMs, factor, random } = this.#options;
    return Math.min(blockedMsMax, firstMs * factor ** (failures - failuresMax)) * (0.5 + random() / 2);
  }
}
