/**
 * A local cluster: `npm run cluster -- --nodes 3 --port 8081 --data DIR [--only ID] [node flags]`.
 *
 * Prints one line on stdout when all nodes serve: READY and a JSON object. SIGTERM, SIGINT or the end of the parent
 * process stops the nodes. A node that dies neither ends the script nor is restarted by it.
 */
import { setTimeout as pause } from "node:timers/promises";
import { openCluster, type ClusterFile, type Wanted } from "./cluster-file.js";
import { letIn, prepareMember, takeOut } from "./cluster-members.js";
import { isReady, leaderAt, poll } from "./cluster-status.js";
import { isFree } from "./free-ports.js";
import { greeting } from "./greeting.js";
import { apiOf, logTail, startNode, type NodeProcess } from "./node-process.js";

interface Options extends Wanted {
  readonly data: string;
  readonly only?: string;
  readonly add?: string;
  readonly remove?: string;
  readonly greet: boolean;
  readonly help: boolean;
  readonly nodeFlags: readonly string[];
}

const usage = `usage: npm run cluster -- [--nodes N] [--port P] [--data DIR] [--only ID | --add ID | --remove ID] [--greet] [node flags]

  --nodes N    number of nodes, 1–9 (3)
  --port P     API port of the first node; the others follow (8081)
  --data DIR   data directory (.slct); keeps cluster.json, so a second start needs no other flag
  --only ID    start just this node of the cluster, for example one that was killed
  --add ID     start one more node and let it into the running cluster
  --remove ID  remove a node from the running cluster for good, and end
  --greet      print the first commands to try instead of the READY line

Every other flag, and all that follows --, goes to the nodes as it is: see docs/configuration.md.
`;
const readyMs = 60_000;
const orphanCheckMs = 500;

function parseOptions(argv: readonly string[]): Options {
  const own = new Map<string, string>();
  const nodeFlags: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const [flag = "", inline] = (argv[at] ?? "").split(/=(.*)/s);
    if (flag === "--") {
      nodeFlags.push(...argv.slice(at + 1));
      break;
    }
    if (flag === "--greet" || flag === "--help") own.set(flag, "");
    else if (["--nodes", "--port", "--data", "--only", "--add", "--remove"].includes(flag))
      own.set(flag, inline ?? argv[++at] ?? "");
    else nodeFlags.push(argv[at] ?? "");
  }
  const problems: string[] = [];
  const number = (flag: string, min: number, max: number) => {
    const written = own.get(flag);
    const value = /^\d{1,5}$/.test(written ?? "") ? Number(written) : NaN;
    if (written !== undefined && !(value >= min && value <= max))
      problems.push(`${flag} must be a number in ${min}–${max}`);
    return written === undefined ? undefined : value;
  };
  const [nodes, port] = [number("--nodes", 1, 9), number("--port", 1, 65_000)];
  const data = own.get("--data") ?? ".slct";
  if (data === "") problems.push("--data needs a directory");
  const chosen = ["only", "add", "remove"].filter((name) => own.has(`--${name}`));
  if (chosen.length > 1) problems.push("only one of --only, --add and --remove can be given");
  if (problems.length > 0) throw new Error(problems.join("; "));
  return {
    ...{ data, nodeFlags, greet: own.has("--greet"), help: own.has("--help") },
    ...(nodes === undefined ? {} : { nodes }),
    ...(port === undefined ? {} : { port }),
    ...Object.fromEntries(chosen.map((name) => [name, own.get(`--${name}`)])),
  };
}

async function start(options: Options, cluster: ClusterFile): Promise<NodeProcess[]> {
  const members = cluster.members.filter(({ id }) => options.only === undefined || id === options.only);
  if (members.length === 0) {
    throw new Error(
      `there is no node ${options.only}; the nodes are ${cluster.members.map(({ id }) => id).join(", ")}`,
    );
  }
  for (const { id, apiPort, peerPort } of members) {
    for (const port of [apiPort, peerPort]) {
      if (!(await isFree(port)))
        throw new Error(`port ${port} of node ${id} is in use: is the cluster running already?`);
    }
  }
  return members.map((member) => startNode(options.data, cluster, member, options.nodeFlags));
}

/** @returns the leader's ID @throws Error with the last lines of the log of a node that does not come up */
async function untilReady(nodes: readonly NodeProcess[]): Promise<string> {
  const deadline = performance.now() + readyMs;
  const leaders = nodes.map(async (node) => {
    let end: string | undefined;
    void node.ended.then((how) => (end = how));
    const leader = await poll(
      async () => end ?? ((await isReady(node.api)) ? await leaderAt(node.api) : undefined),
      deadline - performance.now(),
    );
    if (end === undefined && leader !== undefined) return leader;
    const why = end === undefined ? `is not ready after ${readyMs / 1000} s` : `ended at once (${end})`;
    throw new Error(`node ${node.id} ${why}; the end of ${node.logFile}:\n${logTail(node)}`);
  });
  const [leader = ""] = (await Promise.all(leaders)).slice(-1);
  return leader;
}

/** Resolves when somebody wants the cluster to end. */
async function untilStopped(parent: number): Promise<void> {
  await new Promise<void>((resolve) => {
    // A terminal and npm may each send one: the second must not cut the orderly end short.
    process.on("SIGTERM", resolve);
    process.on("SIGINT", resolve);
    void (async () => {
      while (process.ppid === parent) await pause(orphanCheckMs);
      resolve();
    })();
  });
}

async function run(options: Options, parent: number): Promise<void> {
  const stopped = untilStopped(parent);
  const found = await openCluster(options.data, options);
  if (options.remove !== undefined) return await takeOut(options.data, found, options.remove);
  const added = options.add === undefined ? undefined : await prepareMember(options.data, found, options.add);
  const cluster = added === undefined ? found : await openCluster(options.data, {});
  const nodes = await start(added === undefined ? options : { ...options, only: added.id }, cluster);
  let stopping = false;
  for (const node of nodes) {
    void node.ended.then((how) => {
      if (!stopping) process.stderr.write(`node ${node.id} ended: ${how}; its log: ${node.logFile}\n`);
    });
  }
  try {
    if (added !== undefined) await letIn(cluster, added);
    const leader = await Promise.race([untilReady(nodes), stopped]);
    if (leader === undefined) return;
    const shown = nodes.map(({ id, api, pid }) => ({ id, api, pid }));
    const ready = `READY ${JSON.stringify({ nodes: shown, leader })}\n`;
    process.stdout.write(options.greet ? greeting(cluster.members.map(apiOf), options.data) : ready);
    await stopped;
  } finally {
    stopping = true;
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

const parent = process.ppid;
process.umask(0o077);
try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(usage);
  else await run(options, parent);
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
