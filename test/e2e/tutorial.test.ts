/**
 * The tutorial of the SDK, followed word by word: its files are written, its commands run in order by one shell against a
 * real cluster, and what they print is what it shows.
 * `REWRITE=1` writes the output that was seen into it.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { atPort, mask, runAll, tasksOf, withOutputs, type Task } from "./console.js";
import { TestCluster } from "./harness.js";

const root = join(import.meta.dirname, "../..");
const page = join(root, "docs/sdk/getting-started.md");
const text = readFileSync(page, "utf8");
const tasks = tasksOf(text);

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "slct-tutorial-"));
  setUp(dir);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("the files of the tutorial have no errors of types, at each point where they are run", () => {
  const files = snapshots(tasks).flatMap((snapshot, n) => {
    const folder = join(dir, `files-${n}`);
    mkdirSync(folder);
    return [...snapshot].map(([name, content]) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    });
  });
  expect(files.length).toBeGreaterThan(10);
  const program = ts.createProgram(files, {
    ...{ strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, noUnusedLocals: true },
    ...{ target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext, types: ["node"], skipLibCheck: true },
    ...{ allowImportingTsExtensions: true, noEmit: true, verbatimModuleSyntax: true, erasableSyntaxOnly: true },
  });
  const host = { getCanonicalFileName: (name: string) => name, getCurrentDirectory: () => dir, getNewLine: () => "\n" };
  expect(ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), host)).toBe("");
});

test("the commands of the tutorial print what it shows", { timeout: 300_000 }, async () => {
  const cluster = await TestCluster.open(3);
  try {
    const shop = join(dir, "shop");
    const temporary = join(dir, "tmp");
    for (const folder of [shop, temporary]) mkdirSync(folder);
    const outputs = await runAll(tasks.map(asCommand(cluster.port)), shop, { ...ownEnvironment(), TMPDIR: temporary });
    const seen = withOutputs(
      text,
      outputs.filter((_, n) => "command" in (tasks[n] ?? {})),
    );
    if (process.env.REWRITE === "1") writeFileSync(page, seen);
    expect(maskOwn(seen)).toBe(maskOwn(text));
  } finally {
    await cluster.close();
  }
});

/** What the page installs is linked: from here, and from what is installed here. */
function setUp(folder: string): void {
  const [, given = ""] = /^npm install (.*)$/m.exec(text) ?? [];
  const packages = given.split(" ");
  expect(packages).toContain("../slct");
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  const modules = join(folder, "node_modules");
  for (const name of [".bin", ...packages]) {
    const [link, target] = name === "../slct" ? ["slct", root] : [name, join(root, "node_modules", name)];
    mkdirSync(dirname(join(modules, link)), { recursive: true });
    symlinkSync(target, join(modules, link));
  }
}

/** The files that are there whenever commands follow new ones. */
function snapshots(all: readonly Task[]): ReadonlyMap<string, string>[] {
  const found: ReadonlyMap<string, string>[] = [];
  const files = new Map<string, string>();
  let isNew = false;
  for (const task of all) {
    if ("file" in task) {
      files.set(task.file, task.text);
      isNew = true;
      continue;
    }
    const [, from, to] = /^mv (\S+) (\S+)$/.exec(task.command) ?? [];
    if (from !== undefined && to !== undefined) files.set(to, files.get(from) ?? "");
    else if (isNew) found.push(new Map(files));
    isNew = false;
  }
  return found;
}

function asCommand(port: number): (task: Task) => string {
  return (task) =>
    atPort("command" in task ? task.command : `cat > ${task.file} <<'END OF FILE'\n${task.text}END OF FILE`, port);
}

/** Without what tells the tests of the page that they are run by a test. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV|FORCE_COLOR)/.test(name)),
  );
}

function maskOwn(page: string): string {
  return mask(page)
    .replace(/"Version":\d+/g, '"Version":0')
    .replace(/# time=[\d.]+ms/g, "# time=0ms")
    .replace(/\b[0-9a-f]{32}\b/g, "id")
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "id");
}
