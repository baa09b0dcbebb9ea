/**
 * The sources with one mistake in them, compiled into a directory of their own: a whole simulator that runs it.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import ts from "typescript";
import { invariant } from "../../src/invariant.js";
import type { Bug } from "./bug.js";

const folders = ["raft", "src", "cluster", "sim"];
const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ES2022,
  verbatimModuleSyntax: true,
};

export interface Mutant {
  /** Compiled, the entry of a worker. */
  readonly worker: string;
  remove(): void;
}

/** The text with the mistake. @throws InvariantError when its place is not there, or not the only one */
export function mutate(bug: Bug, text: string): string {
  const parts = text.split(bug.find);
  invariant(parts.length === 2, `${bug.name}: its place is ${parts.length - 1} times in ${bug.file}`);
  return parts.join(bug.replace);
}

/**
 * @param root of the repository
 * @param bug absent: as it is
 */
export function buildMutant(root: string, bug?: Bug): Mutant {
  const directory = mkdtempSync(join(tmpdir(), "slct-mutant-"));
  symlinkSync(resolve(root, "node_modules"), join(directory, "node_modules"));
  writeFileSync(join(directory, "package.json"), `{"type":"module"}`);
  for (const folder of folders) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".ts")) continue;
      const file = `${folder}/${name}`;
      const source = readFileSync(join(root, file), "utf8");
      const text = bug?.file === file ? mutate(bug, source) : source;
      const target = join(directory, file.replace(/\.ts$/, ".js"));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, compile(text));
    }
  }
  return {
    worker: join(directory, "sim/worker.js"),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** One process compiles the same files for every bug. */
const compiled = new Map<string, string>();

function compile(text: string): string {
  const known = compiled.get(text);
  if (known !== undefined) return known;
  const { outputText } = ts.transpileModule(text, { compilerOptions });
  compiled.set(text, outputText);
  return outputText;
}
