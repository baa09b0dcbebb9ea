/**
 * The network of a run made by the kernel: a network namespace for each node, joined by a bridge in the namespace of this
 * process, which must be one of its own (inside.ts), so that all of it is gone when the run ends, however it ends.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { readlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { isInside } from "./inside.js";
import type { BreakableNetwork, Place } from "./network.js";
import { undoAll, type Undo } from "./undo.js";

const bridge = "chaos0";
const subnet = "10.99.0";
const self = `${subnet}.254`;
const apiPort = 8080;
const peerPort = 7080;
const readyMs = 5000;

interface Namespace {
  readonly address: string;
  /** The end of its cable at the bridge. */
  readonly port: string;
  /** Holds the namespace open. */
  readonly holder: ChildProcess;
}

/** Undefined: there can be namespaces here. */
export function whyNoNamespaces(): string | undefined {
  for (const tool of ["ip", "bridge", "nsenter", "unshare"])
    if (spawnSync(tool, ["-V"]).error !== undefined) return `${tool} is not there`;
  return isInside() ? undefined : "not in a namespace of its own";
}

export class NamespaceNetwork implements BreakableNetwork {
  readonly kind = "namespaces";
  readonly callbackHost = self;
  readonly callbackAllow = `${subnet}.0/24`;
  readonly #namespaces = new Map<string, Namespace>();
  /** How many faults have a route blocked, by `from to`. */
  readonly #blocked = new Map<string, number>();
  /** Two nodes that the bridge keeps apart. */
  #isolated = false;

  /** @throws Error when the kernel refuses */
  static async open(): Promise<NamespaceNetwork> {
    run("ip", "link", "add", bridge, "type", "bridge");
    run("ip", "addr", "add", `${self}/24`, "dev", bridge);
    run("ip", "link", "set", bridge, "up");
    return Promise.resolve(new NamespaceNetwork());
  }

  private constructor() {}

  async place(id: string): Promise<Place> {
    const number = this.#namespaces.size + 1;
    const address = `${subnet}.${number}`;
    const port = `port${number}`;
    const holder = spawn("unshare", ["--net", "sleep", "infinity"], { stdio: "ignore" });
    const pid = String(holder.pid);
    await untilApart(pid);
    this.#namespaces.set(id, { address, port, holder });
    run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", pid);
    run("ip", "link", "set", port, "master", bridge);
    run("ip", "link", "set", port, "up");
    const prefix = ["nsenter", "--target", pid, "--net"];
    run(...prefix, "ip", "addr", "add", `${address}/24`, "dev", "eth0");
    run(...prefix, "ip", "link", "set", "eth0", "up");
    run(...prefix, "ip", "link", "set", "lo", "up");
    return {
      member: { id, host: address, apiPort, peerPort },
      flags: [],
      prefix,
      clientApi: `http://${address}:${apiPort}`,
    };
  }

  async cut(some: readonly string[], others: readonly string[]): Promise<Undo> {
    const [a = "", b = ""] = [some[0], others[0]];
    if (some.length === 1 && others.length === 1 && !this.#isolated) return this.#isolate(a, b);
    const pairs = some.flatMap((one) => others.flatMap((other) => [[one, other] as const, [other, one] as const]));
    return undoAll(await Promise.all(pairs.map(([from, to]) => this.cutOneWay(from, to))));
  }

  cutOneWay(from: string, to: string): Promise<Undo> {
    const key = `${from} ${to}`;
    const route = (verb: string) =>
      run(...this.#enter(from), "ip", "route", verb, "blackhole", `${this.#at(to).address}/32`);
    const count = (by: number) => {
      const before = this.#blocked.get(key) ?? 0;
      this.#blocked.set(key, before + by);
      if (before === 0) route("add");
      else if (before + by === 0) route("del");
    };
    count(1);
    return Promise.resolve(() => Promise.resolve(count(-1)));
  }

  unplug(id: string): Promise<Undo> {
    const { port } = this.#at(id);
    run("ip", "link", "set", port, "down");
    return Promise.resolve(() => Promise.resolve(run("ip", "link", "set", port, "up")));
  }

  async close(): Promise<void> {
    run("ip", "link", "del", bridge);
    await Promise.all(
      [...this.#namespaces.values()].map(({ holder }) => {
        const ended = new Promise((resolve) => holder.once("exit", resolve));
        holder.kill("SIGKILL");
        return ended;
      }),
    );
  }

  /** Isolated ports of a bridge reach all others but each other: the triangle in one command. */
  #isolate(a: string, b: string): Undo {
    const set = (state: "on" | "off") => {
      for (const id of [a, b]) run("bridge", "link", "set", "dev", this.#at(id).port, "isolated", state);
      this.#isolated = state === "on";
    };
    set("on");
    return () => Promise.resolve(set("off"));
  }

  #at(id: string): Namespace {
    const found = this.#namespaces.get(id);
    if (found === undefined) throw new Error(`there is no namespace for ${id}`);
    return found;
  }

  #enter(id: string): string[] {
    return ["nsenter", "--target", String(this.#at(id).holder.pid), "--net"];
  }
}

/** Until the process has a network namespace of its own. */
async function untilApart(pid: string): Promise<void> {
  const own = readlinkSync("/proc/self/ns/net");
  for (const endMs = performance.now() + readyMs; performance.now() < endMs; await pause(5))
    if (readlinkSync(`/proc/${pid}/ns/net`) !== own) return;
  throw new Error("unshare gave no network namespace");
}

function run(...command: string[]): void {
  const [program = "", ...rest] = command;
  execFileSync(program, rest, { stdio: ["ignore", "ignore", "pipe"] });
}
