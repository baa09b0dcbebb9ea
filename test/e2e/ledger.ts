/**
 * Writes in one try each, and what became of them: applied, refused, or unknown. Afterwards the cluster must hold what
 * was acknowledged and nothing that was refused.
 */
import { randomBytes } from "node:crypto";
import type { TestCluster } from "./harness.js";

/** Refusals that promise that nothing happened. */
const untouched = new Set(["no_leader", "overloaded"]);

interface Problem {
  readonly code?: string;
}

export interface Contents {
  /** Acknowledged and not there. */
  readonly missing: readonly string[];
  /** Refused and there. */
  readonly unwanted: readonly string[];
}

export class Ledger {
  readonly prefix = `ledger-${randomBytes(4).toString("hex")}-`;
  readonly acknowledged: string[] = [];
  /** By code. */
  readonly refused = new Map<string, string[]>();
  readonly unknown: string[] = [];
  readonly #cluster: TestCluster;
  readonly #chan = `${this.prefix}chan`;
  #writes = 0;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  /** Once, before the first write. */
  async open(): Promise<void> {
    const { status } = await this.#cluster.call(`/channel/${this.#chan}`, { method: "PUT", body: { Buffer: 100_000 } });
    if (status !== 201) throw new Error(`the channel of the ledger: ${status}`);
  }

  /** A new state, every eighth time a value into a channel, in one try at this node. */
  async write(node: string, bytes = 0): Promise<{ status: number; retryAfter: string | null; code?: string }> {
    const n = ++this.#writes;
    const name = `${this.prefix}${n}`;
    const isSend = n % 8 === 0;
    const filling = "x".repeat(bytes);
    try {
      const { status, headers, body } = await this.#cluster.call<Problem>(
        isSend ? `/channel/${this.#chan}/send` : `/state/${name}`,
        isSend
          ? { node, once: true, method: "POST", body: { Data: { name, filling } } }
          : { node, once: true, method: "PUT", body: { Data: filling, Selects: [{ ID: "1", Cases: [] }] } },
      );
      const { code } = body;
      if (status < 300) this.acknowledged.push(name);
      else if (code !== undefined && untouched.has(code)) this.#refuse(code, name);
      else if (status === 504) this.unknown.push(name);
      else throw new TypeError(`${name}: ${status} ${code}`);
      return { status, retryAfter: headers.get("retry-after"), ...(code !== undefined && { code }) };
    } catch (error) {
      if (isUnexpected(error)) throw error;
      this.unknown.push(name);
      return { status: 0, retryAfter: null };
    }
  }

  #refuse(code: string, name: string): void {
    const names = this.refused.get(code);
    if (names === undefined) this.refused.set(code, [name]);
    else names.push(name);
  }

  refusedWith(code: string): readonly string[] {
    return this.refused.get(code) ?? [];
  }

  /** Compares with what the cluster holds. Empties the channel. */
  async compare(): Promise<Contents> {
    const found = new Set<string>();
    for (let cursor: string | null = ""; cursor !== null;) {
      const from: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const { body } = await this.#cluster.call<{ States: { ID: string }[]; Cursor: string | null }>(
        `/state?prefix=${this.prefix}&limit=1000${from}`,
      );
      for (const { ID } of body.States) found.add(ID);
      cursor = body.Cursor;
    }
    for (;;) {
      const { status, body } = await this.#cluster.call<{ Data: { name: string } }>(`/channel/${this.#chan}/recv`, {
        method: "POST",
      });
      if (status !== 200) break;
      if (found.has(body.Data.name)) throw new Error(`${body.Data.name} was sent twice`);
      found.add(body.Data.name);
    }
    return {
      missing: this.acknowledged.filter((name) => !found.has(name)),
      unwanted: [...this.refused.values()].flat().filter((name) => found.has(name)),
    };
  }
}

/** fetch reports every broken connection as a TypeError with a cause. */
function isUnexpected(error: unknown): boolean {
  return !(error instanceof TypeError && error.cause !== undefined);
}
