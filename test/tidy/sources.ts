/**
 * The source files of the project as syntax trees, and what they import: ground for the tidy test.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import ts from "typescript";

export const root = join(import.meta.dirname, "..", "..");

export interface Import {
  /** A path from the root (`raft/types.ts`) or the name of a package (`node:fs`, `pino`). */
  readonly target: string;
  /** Erased at compile time. */
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface Source {
  /** From the root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  readonly imports: readonly Import[];
}

/** Every file that git knows or would add; those of `under` only, if given. */
export function listFiles(...patterns: string[]): string[] {
  const arguments_ = ["ls-files", "--cached", "--others", "--exclude-standard", "--", ...patterns];
  const listed = execFileSync("git", arguments_, { cwd: root, encoding: "utf8" }).split("\n");
  return [...new Set(listed)].filter((path) => path !== "" && existsSync(join(root, path))).sort();
}

export function readSource(path: string): Source {
  return parseSource(path, readFileSync(join(root, path), "utf8"));
}

export function parseSource(path: string, text: string): Source {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  return { path, text, tree, imports: findImports(path, tree) };
}

/** Depth first, parents before children. */
export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  // forEachChild cannot yield.
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  for (const child of children) yield* nodesOf(child);
}

export function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

function findImports(path: string, tree: ts.SourceFile): Import[] {
  const found: Import[] = [];
  for (const node of nodesOf(tree)) {
    const add = (specifier: ts.Node | undefined, typeOnly: boolean) => {
      if (specifier !== undefined && ts.isStringLiteralLike(specifier)) {
        found.push({ target: resolve(path, specifier.text), typeOnly, line: lineOf(tree, node) });
      }
    };
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node.importClause));
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false);
  }
  return found;
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const { name, namedBindings } = clause;
  if (name !== undefined || namedBindings === undefined || !ts.isNamedImports(namedBindings)) return false;
  return namedBindings.elements.every((element) => element.isTypeOnly);
}

function resolve(from: string, specifier: string): string {
  if (!specifier.startsWith(".")) return specifier;
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, ".ts");
}
