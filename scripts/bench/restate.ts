/**
 * Restate beside us: three nodes that replicate to two, and one service in this version of Node. Installed on demand from
 * its npm packages into a folder outside the project.
 */
import { execFileSync, fork, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePorts, loopback } from "../free-ports.js";
import { Connection } from "./connection.js";
import { startPeer, type PeerProcess } from "./peer-process.js";
import type { Awaiting } from "./restate-service.js";
import { expectAnswer, freshPrefix, textOf, type Subject, type Workload } from "./workload.js";

const size = 3;
const versions = { "@restatedev/restate-server": "1.7.12", "@restatedev/restate-sdk": "1.17.2" };
const readyMs = 90_000;
const requestMs = 5000;
const stepMs = 250;
const serviceFile = fileURLToPath(new URL("restate-service.js", import.meta.url));

export interface Restate extends Subject<Connection> {
  /** Resolves with the ID of the awakeable that the invocation with this key waits for. */
  awaiting(key: string): Promise<string>;
}

export interface RestateOptions {
  /** For the nodes' data. */
  readonly dir: string;
  /** Where the packages are, or will be installed. */
  readonly cache: string;
}

export async function openRestate({ dir, cache }: RestateOptions): Promise<Restate> {
  const home = install(cache);
  const [servicePort = 0, ...ports] = await freePorts(3 * size + 1, new Set());
  const [fabric, ingress, admin] = [ports.slice(0, size), ports.slice(size, 2 * size), ports.slice(2 * size)];
  const urls = (list: readonly number[]) => list.map((port) => `http://${loopback}:${port}`);
  const nodes: PeerProcess[] = [];
  const sdk = join(home, "node_modules/@restatedev/restate-sdk/dist/index.js");
  const service = fork(serviceFile, [sdk, `${servicePort}`], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const post = new Post(service);
  const stop = async () => {
    service.kill("SIGKILL");
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    const name = freshPrefix("bench");
    for (let n = 0; n < size; n++) {
      const place = { fabric: urls(fabric), ingress: ingress[n] ?? 0, admin: admin[n] ?? 0 };
      nodes.push(await startNode({ home, dir: join(dir, "restate"), cluster: name, n, ...place }));
    }
    await post.ready;
    await register(urls(admin)[0] ?? "", `http://${loopback}:${servicePort}`, nodes);
    for (const url of urls(ingress)) await untilServing(url, nodes);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ name: `Restate ${versions["@restatedev/restate-server"]}`, pids: nodes.map(({ pid }) => pid), stop },
    open: (worker) => Connection.open(urls(ingress)[worker % size] ?? ""),
    // It tells of none.
    syncs: () => Promise.resolve(NaN),
    awaiting: (key) => post.awaiting(key),
  };
}

/** @returns the folder with `node_modules` @throws Error when npm cannot install it */
function install(cache: string): string {
  const home = join(cache, "restate");
  if (Object.keys(versions).every((name) => existsSync(join(home, "node_modules", name)))) return home;
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "package.json"), JSON.stringify({ private: true, dependencies: versions }));
  process.stderr.write(`installing ${Object.keys(versions).join(" and ")} into ${home}\n`);
  const flags = ["--no-audit", "--no-fund", "--ignore-scripts"];
  execFileSync("npm", ["install", ...flags], { cwd: home, stdio: ["ignore", "ignore", "inherit"] });
  return home;
}

interface NodeLaunch {
  readonly home: string;
  readonly dir: string;
  readonly cluster: string;
  readonly n: number;
  readonly fabric: readonly string[];
  readonly ingress: number;
  readonly admin: number;
}

/** Everything that is not a name or an address stays as it comes, but for the replication. */
function startNode({ home, dir, cluster, n, fabric, ingress, admin }: NodeLaunch): Promise<PeerProcess> {
  const name = `r${n + 1}`;
  // The program itself: its npm command is a process around it.
  const platform = `${process.platform}-${process.arch}`;
  const binary = join(home, `node_modules/@restatedev/restate-server-${platform}/bin/restate-server`);
  const address = (port: number) => `${loopback}:${port}`;
  const env = {
    ...{ RESTATE_CLUSTER_NAME: cluster, RESTATE_NODE_NAME: name, RESTATE_BASE_DIR: join(dir, name) },
    ...{ RESTATE_DEFAULT_REPLICATION: "2", RESTATE_AUTO_PROVISION: String(n === 0), DO_NOT_TRACK: "1" },
    ...{ RESTATE_LISTEN_MODE: "tcp", RESTATE_LOG_FILTER: "warn", RESTATE_DISABLE_TELEMETRY: "true" },
    RESTATE_METADATA_CLIENT__TYPE: "replicated",
    RESTATE_METADATA_CLIENT__ADDRESSES: JSON.stringify(fabric),
    RESTATE_BIND_ADDRESS: new URL(fabric[n] ?? "").host,
    RESTATE_ADVERTISED_ADDRESS: `${fabric[n]}/`,
    RESTATE_INGRESS__BIND_ADDRESS: address(ingress),
    RESTATE_INGRESS__ADVERTISED_INGRESS_ENDPOINT: `http://${address(ingress)}/`,
    RESTATE_ADMIN__BIND_ADDRESS: address(admin),
    RESTATE_ADMIN__ADVERTISED_ADMIN_ENDPOINT: `http://${address(admin)}/`,
  };
  return startPeer({ dir, name, command: [binary], env });
}

/** Tells the cluster where the service is. */
async function register(admin: string, uri: string, nodes: readonly PeerProcess[]): Promise<void> {
  await until("takes no deployment", nodes, async () => {
    const body = JSON.stringify({ uri });
    const headers = { "content-type": "application/json" };
    const signal = AbortSignal.timeout(requestMs);
    return (await fetch(`${admin}/deployments`, { method: "POST", body, headers, signal })).ok;
  });
}

async function untilServing(ingress: string, nodes: readonly PeerProcess[]): Promise<void> {
  await until("does not serve", nodes, async () => {
    const body = JSON.stringify({ key: "ready" });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${ingress}/bench/nap`, {
      ...{ method: "POST", body, headers, signal: AbortSignal.timeout(requestMs) },
    });
    return answer.ok;
  });
}

async function until(what: string, nodes: readonly PeerProcess[], ask: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + readyMs;
  while (!(await ask().catch(() => false))) {
    if (performance.now() > end) throw new Error(`Restate ${what}:\n${nodes.map((node) => node.tail()).join("\n")}`);
    await pause(stepMs);
  }
}

/** What the service tells, and who waits for it. */
class Post {
  readonly ready: Promise<void>;
  readonly #told = new Map<string, string>();
  readonly #waiting = new Map<string, (awakeable: string) => void>();

  constructor(service: ChildProcess) {
    this.ready = new Promise((resolve, reject) => {
      service.once("exit", (code) => reject(new Error(`the service for Restate ended with code ${code}`)));
      service.on("message", (message) => (message === "ready" ? resolve() : this.#on(message as Awaiting)));
    });
    // Of a service that ends later the calls tell.
    this.ready.catch(() => undefined);
  }

  awaiting(key: string): Promise<string> {
    const told = this.#told.get(key);
    if (told === undefined) return new Promise((resolve) => this.#waiting.set(key, resolve));
    this.#told.delete(key);
    return Promise.resolve(told);
  }

  /** A repeated attempt of an invocation tells the same again. */
  #on({ key, awakeable }: Awaiting): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) this.#told.set(key, awakeable);
    this.#waiting.delete(key);
    waiting?.(awakeable);
  }
}

/** Workers 2n and 2n+1: one calls a handler that waits for an awakeable, the other resolves it. */
export function restatePairs(restate: Restate, connections: number): Workload<Connection> {
  const text = textOf(256);
  const prefix = freshPrefix("pair");
  return {
    ...{ name: "awakeable 256 B", workers: Math.max(2, connections), writes: false, independent: false },
    step: async (connection, worker, round) => {
      const key = `${prefix}-${worker >> 1}-${round}`;
      const value = JSON.stringify({ key, text });
      if (worker % 2 === 0) {
        const got = await connection.request("POST", "/bench/pair", JSON.stringify({ key }));
        expectAnswer(got.status === 200 && got.body.includes(value), "pair", got.body);
        return 1;
      }
      const awakeable = await restate.awaiting(key);
      const resolved = await connection.request("POST", `/restate/awakeables/${awakeable}/resolve`, value);
      expectAnswer(resolved.status === 202 || resolved.status === 200, "resolve", resolved.body);
      return 0;
    },
  };
}

/** Each worker owns one object; a call reads what is stored and replaces it. */
export function restateSteps(bytes: number, connections: number): Workload<Connection> {
  const data = textOf(bytes);
  const prefix = freshPrefix("step");
  const body = JSON.stringify({ key: "", data });
  return {
    ...{ name: "object call 10 KB", workers: connections, writes: false, independent: false },
    step: async (connection, worker, round) => {
      const answer = await connection.request("POST", `/store/${prefix}-${worker}/step`, body);
      const before = round === 0 ? 0 : bytes;
      expectAnswer(answer.status === 200 && answer.body.toString() === `${before}`, "step", answer.body);
      return 1;
    },
  };
}

export function restateTimers(connections: number): Workload<Connection> {
  const prefix = freshPrefix("timer");
  return {
    ...{ name: "sleep 100 ms", workers: connections, writes: false, independent: false },
    step: async (connection, worker, round) => {
      const key = `${prefix}-${worker}-${round}`;
      const answer = await connection.request("POST", "/bench/nap", JSON.stringify({ key }));
      expectAnswer(answer.status === 200 && answer.body.includes(key), "nap", answer.body);
      return 1;
    },
  };
}
