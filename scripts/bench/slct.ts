/**
 * The measured cluster: three nodes as child processes, run the way a user gets them.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { openCluster, type ClusterFile, type ClusterMember } from "../cluster-file.js";
import { isReady, leaderAt, poll } from "../cluster-status.js";
import { freeRun } from "../free-ports.js";
import { apiOf, logTail, startNode, type NodeProcess } from "../node-process.js";
import { Connection } from "./connection.js";
import { assertOnDisk, childrenOf, diskBytes, metric } from "./usage.js";
import type { Subject } from "./workload.js";

const nodesDefault = 3;
const readyMs = 60_000;
const mainFile = fileURLToPath(new URL("../../src/main.js", import.meta.url));

const workersFlag = "--ingress-workers";
/** Flags that say who a node is and where. Every other one could change what is measured. */
const identityFlags =
  /^--(id|cluster-id|data-dir|members|host|port|callback-allow|cpu-prof|cpu-prof-dir|cpu-prof-name)$/;
const identityVariables = /^SLCT_CALLBACK_SECRETS$/;

/** Flags and variables by which a node differs from the defaults, durability included. */
export function deviations(argv: readonly string[], variables: readonly string[]): string[] {
  const flags = argv.map((one) => one.split("=")[0] ?? "").filter((one) => one.startsWith("--"));
  return [
    ...flags.filter((flag) => !identityFlags.test(flag)),
    ...variables.filter((name) => name.startsWith("SLCT_") && !identityVariables.test(name)),
  ];
}

export interface SlctOptions {
  /** On a disk. */
  readonly dir: string;
  /** Default 3. */
  readonly nodes?: number;
  /** That take in HTTP, of each node: the one deviation that can be measured, and it is in the name of the figure. Default 0. */
  readonly workers?: number;
  /** Where each node leaves its CPU profile when it ends. */
  readonly profileDir?: string;
}

export class SlctCluster implements Subject<Connection> {
  readonly name = "slct";
  readonly #options: SlctOptions;
  readonly #cluster: ClusterFile;
  readonly #nodes = new Map<string, NodeProcess>();

  static async open(options: SlctOptions): Promise<SlctCluster> {
    const { nodes = nodesDefault } = options;
    mkdirSync(options.dir, { recursive: true });
    assertOnDisk(options.dir);
    const file = await openCluster(join(options.dir, "slct"), { nodes, port: await freeRun(nodes) });
    const cluster = new SlctCluster(options, file);
    try {
      for (const { id } of file.members) cluster.start(id);
      for (const { id } of file.members) await cluster.untilReady(id);
      cluster.#assertDefaults();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  private constructor(options: SlctOptions, cluster: ClusterFile) {
    this.#options = options;
    this.#cluster = cluster;
    // However this process ends, the nodes end first: nobody writes to the directory while it is removed.
    process.prependOnceListener("exit", () => this.#nodes.forEach((node) => node.kill()));
  }

  get ids(): readonly string[] {
    return this.#cluster.members.map(({ id }) => id);
  }

  get apis(): readonly string[] {
    return this.#cluster.members.map(apiOf);
  }

  get pids(): readonly number[] {
    const nodes = this.ids.flatMap((id) => this.#nodes.get(id)?.pid ?? []);
    return (this.#options.workers ?? 0) === 0 ? nodes : nodes.flatMap((pid) => [pid, ...childrenOf(pid)]);
  }

  open(worker: number): Promise<Connection> {
    return Connection.open(this.apis[worker % this.apis.length] ?? "");
  }

  async syncs(): Promise<number> {
    return (await this.metrics("slct_log_sync_seconds_count")).reduce((sum, one) => sum + one, 0);
  }

  /** Of each node. */
  async metrics(name: string): Promise<number[]> {
    return (await this.metricTexts()).map((text) => metric(text, name));
  }

  metricTexts(): Promise<string[]> {
    return Promise.all(this.apis.map(async (api) => (await fetch(`${api}/metrics`)).text()));
  }

  /** Bytes on the disk of each node. */
  disk(): number[] {
    return this.ids.map((id) => diskBytes(this.dataDir(id)));
  }

  /** Asks the others too: the one that is asked may just have been killed. */
  async leader(): Promise<string> {
    const found = await poll(async () => {
      for (const api of this.apis) {
        const leader = await leaderAt(api);
        if (leader !== undefined) return leader;
      }
      return undefined;
    }, readyMs);
    if (found === undefined) throw new Error(`no leader within ${readyMs / 1000} s`);
    return found;
  }

  start(id: string): void {
    const { profileDir } = this.#options;
    const profile = profileDir === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", resolve(profileDir)];
    const name = profileDir === undefined ? [] : ["--cpu-prof-name", `${id}.cpuprofile`];
    const command = [process.execPath, ...profile, ...name, mainFile];
    const dir = join(this.#options.dir, "slct");
    const { workers = 0 } = this.#options;
    const flags = workers === 0 ? [] : [workersFlag, String(workers)];
    this.#nodes.set(id, startNode(dir, this.#cluster, this.#member(id), flags, { command }));
  }

  /** @throws Error with the end of its log */
  async untilReady(id: string, withinMs = readyMs): Promise<void> {
    const node = this.#node(id);
    let end: string | undefined;
    void node.ended.then((how) => (end = how));
    const ready = await poll(async () => (end !== undefined || (await isReady(node.api)) ? true : undefined), withinMs);
    if (end !== undefined || ready === undefined)
      throw new Error(`node ${id} is not ready (${end ?? "still running"}):\n${logTail(node)}`);
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(id: string): Promise<void> {
    const node = this.#node(id);
    node.kill();
    await node.ended;
    this.#nodes.delete(id);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.stop()));
    this.#nodes.clear();
  }

  /** As the system knows the processes, not as we meant to start them. Workers get the command line of their node. */
  #assertDefaults(): void {
    for (const [id, { pid }] of this.#nodes) {
      const list = (file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0");
      const variables = list("environ").map((one) => one.split("=")[0] ?? "");
      const wanted = (this.#options.workers ?? 0) === 0 ? [] : [workersFlag];
      const found = deviations(list("cmdline"), variables).filter((one) => !wanted.includes(one));
      if (found.length > 0) throw new Error(`node ${id} does not run with the defaults: ${found.join(", ")}`);
    }
  }

  #node(id: string): NodeProcess {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`node ${id} is down`);
    return node;
  }

  #member(id: string): ClusterMember {
    const member = this.#cluster.members.find((one) => one.id === id);
    if (member === undefined) throw new Error(`there is no node ${id}`);
    return member;
  }

  dataDir(id: string): string {
    return join(this.#options.dir, "slct", id);
  }
}
