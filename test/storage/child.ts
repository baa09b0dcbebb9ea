/**
 * Runs production code in a process of its own, so that it can be killed or made to fail by the kernel. Node 20 does not
 * run TypeScript: what the program needs is transpiled, file by file, beside a link to the packages.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { createInterface } from "node:readline";
import ts from "typescript";

const root = resolve(import.meta.dirname, "../..");

/** @returns the path of the program as JavaScript below `outDir` */
export async function transpile(program: string, outDir: string): Promise<string> {
  const done = new Set<string>();
  const visit = async (path: string): Promise<void> => {
    if (done.has(path)) return;
    done.add(path);
    const text = await readFile(path, "utf8");
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true },
    });
    const target = join(outDir, relative(root, path)).replace(/\.ts$/, ".js");
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, outputText);
    const imports = ts.preProcessFile(outputText).importedFiles.map(({ fileName }) => fileName);
    for (const name of imports.filter((name) => name.startsWith(".")))
      await visit(resolve(dirname(path), name.replace(/\.js$/, ".ts")));
  };
  await mkdir(outDir, { recursive: true });
  await writeFile(join(outDir, "package.json"), `{ "type": "module" }`);
  await symlink(join(root, "node_modules"), join(outDir, "node_modules"));
  const source = join(root, program);
  await visit(source);
  return join(outDir, program).replace(/\.ts$/, ".js");
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lines: readonly string[];
  readonly errors: string;
}

/** Runs `command` to its end; `onLine` sees each line of output as it comes. */
export function run(
  command: readonly [string, ...string[]],
  onLine: (line: string, child: ChildProcess) => void = () => undefined,
): Promise<Ended> {
  return new Promise((done, fail) => {
    const [file, ...args] = command;
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
    const lines: string[] = [];
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    createInterface(child.stdout).on("line", (line) => {
      lines.push(line);
      onLine(line, child);
    });
    child.on("error", fail);
    child.on("close", (code, signal) => done({ code, signal, lines, errors }));
  });
}
