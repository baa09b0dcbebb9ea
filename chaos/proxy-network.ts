/**
 * The network of a run as proxies in this process: one in front of each peer port and one in front of each API port, with
 * a rule for each pair of dialer and node. Works anywhere, and can do what no kernel does: flip bits, repeat, cut short.
 */
import { apiOf } from "../scripts/node-process.js";
import { freePorts, loopback } from "../scripts/free-ports.js";
import type { BreakableNetwork, Place } from "./network.js";
import type { Impairment } from "./pipe.js";
import { Proxy, type LinkRule, type ProxyCounts } from "./proxy.js";
import type { Random } from "./random.js";
import type { Undo } from "./undo.js";

/** Who dials the API ports. */
export const clients = "clients";

/** A rule for connections of `from` to `to`; absent: of or to everybody. */
export interface Imposed {
  readonly from?: string;
  readonly to?: string;
  readonly rule: LinkRule;
}

const held: Impairment = { hold: true };

export class ProxyNetwork implements BreakableNetwork {
  readonly kind = "proxies";
  readonly callbackHost = loopback;
  readonly callbackAllow = "127.0.0.0/8";
  readonly #random: Random;
  readonly #proxies: Proxy[] = [];
  readonly #ports = new Set<number>();
  readonly #imposed = new Set<readonly Imposed[]>();

  constructor(random: Random) {
    this.#random = random;
  }

  async place(id: string): Promise<Place> {
    const [apiPort = 0, peerPort = 0, apiProxy = 0, peerProxy = 0] = await freePorts(4, this.#ports);
    for (const port of [apiPort, peerPort, apiProxy, peerProxy]) this.#ports.add(port);
    await this.#open(id, { port: apiProxy, target: apiPort, dialer: clients });
    await this.#open(id, { port: peerProxy, target: peerPort, dialer: undefined });
    return {
      member: { id, apiPort, peerPort: peerProxy },
      flags: ["--peer-listen", `${loopback}:${peerPort}`],
      prefix: [],
      clientApi: apiOf({ id, apiPort: apiProxy, peerPort: 0 }),
    };
  }

  /** Rules on top of those in force. */
  impose(...rules: readonly Imposed[]): Undo {
    this.#imposed.add(rules);
    this.#update();
    return () => {
      this.#imposed.delete(rules);
      this.#update();
      return Promise.resolve();
    };
  }

  cut(some: readonly string[], others: readonly string[]): Promise<Undo> {
    const rule = { forward: held, backward: held };
    const pairs = some.flatMap((a) =>
      others.flatMap((b) => [
        { from: a, to: b, rule },
        { from: b, to: a, rule },
      ]),
    );
    return Promise.resolve(this.impose(...pairs));
  }

  cutOneWay(from: string, to: string): Promise<Undo> {
    return Promise.resolve(
      this.impose({ from, to, rule: { forward: held } }, { from: to, to: from, rule: { backward: held } }),
    );
  }

  unplug(id: string): Promise<Undo> {
    const rule = { forward: held, backward: held };
    return Promise.resolve(this.impose({ to: id, rule }, { from: id, rule }));
  }

  /** Over all proxies. */
  counts(): ProxyCounts {
    const sum = { bytes: 0, corrupted: 0, truncated: 0, connections: 0, refused: 0, replayed: 0 };
    for (const { counts } of this.#proxies)
      for (const name of Object.keys(sum) as (keyof ProxyCounts)[]) sum[name] += counts[name];
    return sum;
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }

  async #open(id: string, at: { port: number; target: number; dialer: string | undefined }): Promise<void> {
    const rule = (from: string) => this.#rule(from, id);
    const target = { host: loopback, port: at.target };
    const { port, dialer } = at;
    this.#proxies.push(await Proxy.open({ host: loopback, port, target, dialer, rule, random: this.#random.fork(id) }));
  }

  #rule(from: string, to: string): LinkRule {
    let merged: LinkRule = {};
    for (const rules of this.#imposed)
      for (const one of rules)
        if ((one.from ?? from) === from && (one.to ?? to) === to) merged = merge(merged, one.rule);
    return merged;
  }

  #update(): void {
    for (const proxy of this.#proxies) proxy.update();
  }
}

function merge(a: LinkRule, b: LinkRule): LinkRule {
  return {
    refuse: a.refuse === true || b.refuse === true,
    replay: Math.max(a.replay ?? 0, b.replay ?? 0),
    forward: both(a.forward ?? {}, b.forward ?? {}),
    backward: both(a.backward ?? {}, b.backward ?? {}),
  };
}

function both(a: Impairment, b: Impairment): Impairment {
  return {
    hold: a.hold === true || b.hold === true,
    delayMs: (a.delayMs ?? 0) + (b.delayMs ?? 0),
    jitterMs: (a.jitterMs ?? 0) + (b.jitterMs ?? 0),
    bytesPerSecond: Math.min(a.bytesPerSecond ?? Infinity, b.bytesPerSecond ?? Infinity),
    corrupt: Math.max(a.corrupt ?? 0, b.corrupt ?? 0),
    truncate: Math.max(a.truncate ?? 0, b.truncate ?? 0),
  };
}
