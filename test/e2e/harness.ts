/**
 * A real cluster for a test: processes started by the real script, a client that retries as the protocol says.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import {
  clusterScript,
  startCluster,
  type ClusterChild,
  type Ended,
  type RunningMember,
} from "../../scripts/cluster-child.js";
import { freeRun } from "../../scripts/free-ports.js";

export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
  /** ID of the node that answered. */
  readonly node: string;
}

export interface Call {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ask this node first, then the others; default: the one that answered last. */
  readonly node?: string;
  /** One try at one node: no retries. */
  readonly once?: boolean;
}

const retryMs = 50;
const answersWithinMs = 30_000;

/**
 * Waits until `ask` gives something else than undefined or false.
 * @throws Error naming `what` after `withinMs`
 */
export async function waitFor<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  withinMs = answersWithinMs,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`waited ${withinMs} ms for ${what}`);
    await pause(retryMs);
  }
}

/** One data directory and whatever runs on it. */
export class TestCluster {
  readonly dir: string;
  readonly port: number;
  readonly #size: number;
  readonly #members = new Map<string, RunningMember>();
  readonly #scripts: ClusterChild[] = [];
  #last = "n1";
  #requests = 0;

  private constructor(dir: string, port: number, size: number) {
    this.dir = dir;
    this.port = port;
    this.#size = size;
  }

  /**
   * Starts `size` nodes on a fresh directory and free ports.
   * @param within command to run them in, as to that directory
   */
  static async open(
    size: number,
    flags: readonly string[] = [],
    within: (dir: string) => readonly string[] = () => [],
  ): Promise<TestCluster> {
    const cluster = new TestCluster(mkdtempSync(join(tmpdir(), "slct-e2e-")), await freeRun(size), size);
    try {
      await cluster.startAll(flags, within(cluster.dir));
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /** A cluster of `size` nodes whose directory is there, to be started by {@link startAll}. */
  static over(dir: string, port: number, size: number): TestCluster {
    return new TestCluster(dir, port, size);
  }

  async startAll(flags: readonly string[] = [], within: readonly string[] = []): Promise<ClusterChild> {
    return this.#run(
      ["--nodes", String(this.#size), "--port", String(this.port), "--data", this.dir, ...flags],
      within,
    );
  }

  /** Brings one node back. */
  async start(id: string, flags: readonly string[] = []): Promise<ClusterChild> {
    return this.#run(["--data", this.dir, "--only", id, ...flags]);
  }

  /** One more node, let in and caught up; it may not vote yet. */
  async add(id: string, flags: readonly string[] = []): Promise<ClusterChild> {
    return this.#run(["--data", this.dir, "--add", id, ...flags]);
  }

  /** Takes a node out for good; resolves when its process, if there is one, has ended by itself. */
  async remove(id: string): Promise<void> {
    await promisify(execFile)(process.execPath, [clusterScript, "--data", this.dir, "--remove", id]);
    const { pid } = this.member(id);
    await waitFor(`the end of ${id}`, () => !isAlive(pid));
    this.#members.delete(id);
    if (this.#last === id) this.#last = this.ids[0] ?? id;
  }

  member(id: string): RunningMember {
    const member = this.#members.get(id);
    if (member === undefined) throw new Error(`no node ${id} was started`);
    return member;
  }

  get ids(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** Sends a signal to one node; for SIGKILL and SIGTERM resolves when the process is gone. */
  async kill(id: string, signal: NodeJS.Signals): Promise<void> {
    const { pid } = this.member(id);
    process.kill(pid, signal);
    if (signal === "SIGKILL" || signal === "SIGTERM") await waitFor(`the end of ${id}`, () => !isAlive(pid));
  }

  /** Stops every script, and with it its nodes; the data stays. */
  async stopAll(): Promise<Ended[]> {
    return Promise.all(this.#scripts.splice(0).map((script) => script.stop()));
  }

  /** Stops everything and removes the data. */
  async close(): Promise<void> {
    await this.stopAll();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** ID of the leader, as some node that answers sees it. */
  async leader(): Promise<string> {
    return waitFor("a leader", async () => {
      const { body } = await this.call<{ Nodes: { ID: string; Role: string; Reachable: boolean }[] }>("/cluster");
      return body.Nodes.find(({ Role, Reachable }) => Role === "leader" && Reachable)?.ID;
    });
  }

  /**
   * One request, repeated with the same Request-Id at the next node while its outcome is unknown or nobody leads.
   * @throws Error after 30 s
   */
  async call<T = unknown>(path: string, call: Call = {}): Promise<Answer<T>> {
    const { method = "GET", body, once = false } = call;
    const headers = new Headers(call.headers);
    if (body !== undefined && !headers.has("content-type")) headers.set("content-type", "application/json");
    if (method !== "GET" && !headers.has("request-id"))
      headers.set("request-id", `e2e-${process.pid}-${++this.#requests}`);
    const first = call.node ?? this.#last;
    const order = once ? [first] : [first, ...this.ids.filter((id) => id !== first)];
    const end = performance.now() + answersWithinMs;
    for (let n = 0; ; n++) {
      const node = order[n % order.length] ?? first;
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const answer = await this.#ask<T>(node, path, { method, headers, ...(body === undefined ? {} : { body: text }) });
      const isOpen = answer instanceof Error || answer.status === 503 || answer.status === 504;
      if (isOpen && !once) {
        if (performance.now() > end) throw new Error(`no answer to ${method} ${path} within ${answersWithinMs} ms`);
        await pause(retryMs);
        continue;
      }
      if (answer instanceof Error) throw answer;
      this.#last = node;
      return answer;
    }
  }

  async #ask<T>(node: string, path: string, init: RequestInit): Promise<Answer<T> | Error> {
    try {
      const response = await fetch(`${this.member(node).api}${path}`, {
        ...init,
        signal: AbortSignal.timeout(answersWithinMs),
      });
      const text = await response.text();
      const isJson = /json/.test(response.headers.get("content-type") ?? "");
      return {
        status: response.status,
        headers: response.headers,
        body: (isJson ? JSON.parse(text) : text) as T,
        node,
      };
    } catch (error) {
      return error as Error;
    }
  }

  async #run(flags: readonly string[], within: readonly string[] = []): Promise<ClusterChild> {
    const script = await startCluster(flags, process.env, within);
    this.#scripts.push(script);
    for (const member of script.nodes) this.#members.set(member.id, member);
    return script;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
