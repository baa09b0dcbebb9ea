/**
 * The rules of CONTRIBUTING.md that a program can check. Each rule is also shown to catch an offender.
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { problems } from "../api/problem.js";
import { errorCodes } from "../src/errors.js";
import { cycles, violations } from "./tidy/matrix.js";
import { lineOf, listFiles, nodesOf, parseSource, readSource, root, type Source } from "./tidy/sources.js";

const sources = listFiles("*.ts").map(readSource);
const fileLinesMax = 300;
const functionLinesMax = 70;
/** A literal pause from here on is a sleep. Files that may: bounded polling of real processes. */
const sleepMsMin = 50;
const mayPause = new Set(["test/e2e/harness.ts"]);

/** Runs a rule over the project and over a made-up offender: a rule that catches nothing would pass for ever. */
function check(rule: (source: Source) => string[], offender: { path: string; text: string }): void {
  expect(rule(parseSource(offender.path, offender.text)), "the offender").not.toEqual([]);
  expect(sources.flatMap(rule)).toEqual([]);
}

describe("imports", () => {
  test("follow the matrix", () => {
    check(violations, { path: "raft/x.ts", text: `import { a } from "../src/errors.js";` });
    check(violations, { path: "src/select/x.ts", text: `import type { a } from "../../raft/types.js";` });
    check(violations, { path: "cluster/x.ts", text: `import { a } from "../src/config.js";` });
    check(violations, { path: "api/x.ts", text: `import { openNode } from "../cluster/start.js";` });
  });

  test("have no cycles", () => {
    const pair = [
      parseSource("raft/a.ts", `import "./b.js";`),
      parseSource("raft/b.ts", `export { c } from "./a.js";`),
    ];
    expect(cycles(pair)).toEqual(["raft/a.ts → raft/b.ts → raft/a.ts"]);
    expect(cycles(sources)).toEqual([]);
  });

  test("are of named things only", () => {
    const rule = ({ path, tree }: Source) => {
      if (path.endsWith(".config.ts")) return [];
      const isDefault = (node: ts.Node) =>
        ts.isExportAssignment(node) ||
        (ts.canHaveModifiers(node) &&
          (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword));
      const isStar = (node: ts.Node) => ts.isExportDeclaration(node) && node.exportClause === undefined;
      return [...nodesOf(tree)]
        .filter((node) => isDefault(node) || isStar(node))
        .map((node) => `${path}:${lineOf(tree, node)}`);
    };
    check(rule, { path: "api/x.ts", text: `export default function f() {}` });
    check(rule, { path: "api/x.ts", text: `export * from "./y.js";` });
  });
});

describe("size and names", () => {
  test(`no file has more than ${fileLinesMax} lines`, () => {
    const rule = ({ path, text }: Source) => {
      const lines = text.trimEnd().split("\n").length;
      return lines > fileLinesMax ? [`${path}: ${lines}`] : [];
    };
    check(rule, { path: "api/x.ts", text: "x;\n".repeat(fileLinesMax + 1) });
  });

  test(`no function has more than ${functionLinesMax} lines`, () => {
    const rule = ({ path, tree }: Source) =>
      [...nodesOf(tree)].filter(isMeasured).flatMap((node) => {
        const first = lineOf(tree, node);
        const lines = tree.getLineAndCharacterOfPosition(node.end).line + 2 - first;
        return lines > functionLinesMax ? [`${path}:${first}: ${lines} lines`] : [];
      });
    check(rule, { path: "api/x.ts", text: `const f = () => {\n${"  x;\n".repeat(functionLinesMax)}};` });
  });

  test("no file is a drawer or a barrel", () => {
    const isBad = (path: string) => /(^|\/)(utils?|helpers?|common|misc|shared|index)(\.|\/)/.test(path);
    expect(isBad("api/utils.ts") && isBad("cluster/helpers/a.ts") && isBad("src/index.ts")).toBe(true);
    expect(sources.map(({ path }) => path).filter(isBad)).toEqual([]);
  });

  test("every file opens with its job", () => {
    const rule = ({ path, text }: Source) => (/^(#!.*\n)?\/\*\*/.test(text) || isTestOrConfig(path) ? [] : [path]);
    check(rule, { path: "api/x.ts", text: `import "y";` });
  });

  test("nothing is left for later", () => {
    const marks = new RegExp(["TO" + "DO", "FIX" + "ME", "X" + "XX"].map((mark) => `\\b${mark}\\b`).join("|"));
    const rule = ({ path, text }: Pick<Source, "path" | "text">) => (marks.test(text) ? [path] : []);
    check(rule, { path: "api/x.ts", text: `// ${"TO" + "DO"}: more` });
    const others = listFiles("*.md", "*.json", "*.js", "*.sh", "*.py", ".ci").map((path) => ({
      path,
      text: readText(path),
    }));
    expect(others.flatMap(rule)).toEqual([]);
  });
});

describe("purity", () => {
  test("the cores have no clock, chance, promises or process", () => {
    const banned =
      /^(Date|performance|process|Promise|fetch|set(Timeout|Interval|Immediate)|queueMicrotask|console|crypto)$/;
    const rule = ({ path, tree }: Source) => {
      if (!/^(raft|src\/select)\//.test(path)) return [];
      const isImpure = (node: ts.Node) =>
        (ts.isIdentifier(node) && banned.test(node.text) && !isMemberName(node)) ||
        (ts.isPropertyAccessExpression(node) && node.getText(tree) === "Math.random") ||
        ts.isAwaitExpression(node) ||
        node.kind === ts.SyntaxKind.AsyncKeyword;
      return [...nodesOf(tree)].filter(isImpure).map((node) => `${path}:${lineOf(tree, node)} ${node.getText(tree)}`);
    };
    check(rule, { path: "raft/x.ts", text: `const t = Date.now();` });
    check(rule, { path: "raft/x.ts", text: `const r = Math.random();` });
    check(rule, { path: "src/select/x.ts", text: `async function f() {}` });
  });

  test("tests do not sleep", () => {
    const rule = ({ path, tree }: Source) => {
      if (!path.startsWith("test/") || mayPause.has(path)) return [];
      const sleeps = [...nodesOf(tree)].filter((node) => ts.isCallExpression(node) && isSleep(node, tree));
      return sleeps.map((node) => `${path}:${lineOf(tree, node)} ${node.getText(tree)}`);
    };
    check(rule, { path: "test/x.test.ts", text: `await new Promise((done) => setTimeout(done, 1_000));` });
    check(rule, { path: "test/x.test.ts", text: `await pause(50);` });
  });

  test("no test is skipped or alone", () => {
    const rule = ({ path, tree }: Source) =>
      [...nodesOf(tree)]
        .filter(
          (node) =>
            ts.isPropertyAccessExpression(node) && /^(test|it|describe)\.(skip|only|todo)$/.test(node.getText(tree)),
        )
        .map((node) => `${path}:${lineOf(tree, node)}`);
    check(rule, { path: "test/x.test.ts", text: `test.${"skip"}("a", () => {});` });
  });
});

describe("docs/api/errors.md", () => {
  const rows = [...readText("docs/api/errors.md").matchAll(/^\| `(\w+)` \| (\d{3}) \| (.+) \| (.+) \|$/gm)];

  test("has the status of each code", () => {
    const statuses = Object.entries(problems).map(([code, { status }]) => [code, String(status)]);
    expect(Object.fromEntries(rows.map(([, code = "", status = ""]) => [code, status]))).toEqual(
      Object.fromEntries(statuses),
    );
  });

  test("has each code once, with its meaning and what to do", () => {
    expect(rows.map(([, code]) => code)).toEqual([...errorCodes]);
    for (const [line, , , meaning, remedy] of rows)
      expect(
        [meaning, remedy].every((cell) => (cell ?? "").length > 3),
        line,
      ).toBe(true);
  });
});

function readText(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

function isTestOrConfig(path: string): boolean {
  return path.endsWith(".test.ts") || /\.config\.(ts|js)$/.test(basename(path));
}

/** A `describe` block is a chapter, not a function. */
function isMeasured(node: ts.Node): boolean {
  if (!ts.isFunctionLike(node) || !("body" in node)) return false;
  const { parent } = node;
  return !(ts.isCallExpression(parent) && /^describe\b/.test(parent.expression.getText()));
}

/** `x.process`, `{ process: … }` and the like name a member, not the global. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  return (
    (ts.isPropertySignature(parent) || ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent)) &&
    parent.name === node
  );
}

function isSleep(call: ts.CallExpression, tree: ts.SourceFile): boolean {
  if (!/^(setTimeout|sleep|pause|delay|timers\.setTimeout|globalThis\.setTimeout)$/.test(call.expression.getText(tree)))
    return false;
  return call.arguments.some((argument) => ts.isNumericLiteral(argument) && Number(argument.text) >= sleepMsMin);
}
