/**
 * A new local cluster from a backup: `npm run restore -- --from FILE --data DIR [--nodes N] [--port P]`. It is started by
 * `npm run cluster -- --data DIR`.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkUnused, inspectArchive, restoreNode } from "../cluster/restore.js";
import { options } from "../src/options.js";
import { described } from "../src/restore.js";
import { createCluster, type ClusterFile, type Wanted } from "./cluster-file.js";
import { membersOf } from "./node-process.js";

const usage = `usage: npm run restore -- --from FILE --data DIR [--nodes N] [--port P]

  --from FILE  archive of GET /cluster/backup
  --data DIR   data directory of the new cluster; must not exist or be empty
  --nodes N    number of nodes, 1–9 (3)
  --port P     API port of the first node; the others follow (8081)
`;

interface Options extends Wanted {
  readonly from: string;
  readonly data: string;
}

function parseOptions(argv: readonly string[]): Options {
  const string = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: { from: string, data: string, nodes: string, port: string },
  });
  const { from = "", data = "" } = values;
  if (from === "" || data === "") throw new Error("--from and --data are needed");
  const number = (flag: "nodes" | "port", min: number, max: number) => {
    const written = values[flag];
    if (written === undefined) return {};
    const value = /^\d{1,5}$/.test(written) ? Number(written) : NaN;
    if (!(value >= min && value <= max)) throw new Error(`--${flag} must be a number in ${min}–${max}`);
    return { [flag]: value };
  };
  return { from, data, ...number("nodes", 1, 9), ...number("port", 1, 65_000) };
}

async function restore({ from, data, ...wanted }: Options): Promise<ClusterFile> {
  await checkUnused(data);
  const archive = await inspectArchive(from);
  process.stdout.write(`${described(archive)}\n`);
  const cluster = await createCluster(data, wanted);
  try {
    for (const { id } of cluster.members) {
      await restoreNode(archive, {
        ...{ dataDir: join(data, id), id, clusterId: cluster.clusterId, members: membersOf(cluster) },
        logSegmentBytes: Number(options.logSegmentBytes.default),
      });
    }
  } catch (error) {
    for (const { id } of cluster.members) await rm(join(data, id), { recursive: true, force: true });
    await rm(join(data, "cluster.json"), { force: true });
    throw error;
  }
  return cluster;
}

process.umask(0o077);
try {
  const argv = process.argv.slice(2);
  if (argv.includes("--help")) {
    process.stdout.write(usage);
  } else {
    const wanted = parseOptions(argv);
    const { clusterId, members } = await restore(wanted);
    process.stdout.write(`${wanted.data}: ${members.length} nodes of cluster ${clusterId}\n`);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
