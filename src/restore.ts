/**
 * `slct restore`: checks a backup, and makes the data directory of one node of a new cluster from it.
 *
 * Exit codes: 0; 65 when the file is no whole archive; 70 for everything else that went wrong; 78 for wrong flags. Nothing
 * is left behind when it fails.
 */
import { parseArgs } from "node:util";
import { ArchiveError } from "../cluster/archive-format.js";
import { checkUnused, inspectArchive, restoreNode, type Inspected } from "../cluster/restore.js";
import { list, member, name, text, type Option } from "./option-kinds.js";
import { options } from "./options.js";

export const exitArchive = 65;
const exitFailed = 70;
const exitConfig = 78;

const usage = `usage: slct restore --from FILE --check
       slct restore --from FILE --data-dir DIR --id ID --cluster-id NEW --members id=host:port=url,…

  --from FILE        archive of GET /cluster/backup
  --check            only read it, and say what it holds
  --data-dir DIR     directory of the node; must not exist or be empty
  --id ID            ID of the node
  --cluster-id NEW   ID of the new cluster, not that of the old one
  --members …        all members of the new cluster, this one included

Run it for every node of the new cluster with the same FILE, --cluster-id and --members; then start the nodes with
these and their other flags.
`;

const flags = {
  from: text({ unit: "path", about: "" }),
  "data-dir": text({ unit: "path", about: "" }),
  id: name(""),
  "cluster-id": name(""),
  members: list({ item: member, default: "", unit: "", about: "" }),
} satisfies Record<string, Option<unknown>>;
type Flag = keyof typeof flags;
type Given = { readonly [F in Flag]: ReturnType<(typeof flags)[F]["read"]> };

/** @returns the exit code */
export async function restoreCommand(argv: readonly string[]): Promise<number> {
  if (argv.includes("--help")) {
    process.stdout.write(usage);
    return 0;
  }
  try {
    const check = argv.includes("--check");
    const given = parseFlags(argv, check);
    if (given === undefined) return exitConfig;
    if (!check) await checkUnused(given["data-dir"]);
    const archive = await inspectArchive(given.from);
    process.stdout.write(`${described(archive)}\n`);
    if (!check) await restore(archive, given);
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return error instanceof ArchiveError ? exitArchive : exitFailed;
  }
}

/** For people: what the archive holds. */
export function described({ file, header, trailer, configuration }: Inspected): string {
  const members = configuration.members.map(({ id }) => id).join(", ");
  const at = new Date(header.nowMs).toISOString();
  return `${file}: ${trailer.records} records of cluster ${header.clusterId} (${members}) at index ${header.index}, ${at}`;
}

async function restore(archive: Inspected, given: Given): Promise<void> {
  const { id, "cluster-id": clusterId, "data-dir": dataDir, members } = given;
  const logSegmentBytes = Number(options.logSegmentBytes.default);
  await restoreNode(archive, { dataDir, id, clusterId, members, logSegmentBytes });
  process.stdout.write(`${dataDir}: node ${id} of cluster ${clusterId}\n`);
}

/** Undefined: something is wrong, and was said. */
function parseFlags(argv: readonly string[], check: boolean): Given | undefined {
  const problems: string[] = [];
  const declared = Object.fromEntries(Object.keys(flags).map((flag) => [flag, { type: "string" as const }]));
  let values: Readonly<Record<string, unknown>> = {};
  try {
    ({ values } = parseArgs({ args: [...argv], options: { ...declared, check: { type: "boolean" } } }));
  } catch (error) {
    problems.push((error as Error).message);
  }
  const given: Record<string, unknown> = {};
  for (const flag of Object.keys(flags) as Flag[]) {
    const written = values[flag];
    if (typeof written !== "string") {
      if (flag === "from" || !check) problems.push(`--${flag} is missing`);
      continue;
    }
    try {
      given[flag] = flags[flag].read(written);
    } catch (error) {
      problems.push(`--${flag} must be ${(error as Error).message}`);
    }
  }
  const { members = [], id } = given as Partial<Given>;
  if (!check && members.length > 0 && !members.some((one) => one.id === id))
    problems.push(`--members does not name this node, ${JSON.stringify(id)}`);
  if (problems.length === 0) return given as Given;
  process.stderr.write(`${problems.join("\n")}\n\n${usage}`);
  return undefined;
}
