/**
 * The README's console blocks, run in order by one shell against a real cluster, and its program in TypeScript: what they
 * show is what happens.
 * `REWRITE=1` writes the output that was seen into the README.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clusterScript } from "../../scripts/cluster-child.js";
import { atPort, mask, runAll, tasksOf, withOutputs } from "./console.js";
import { TestCluster } from "./harness.js";

const readme = new URL("../../README.md", import.meta.url);

let cluster: TestCluster;
let dir: string;
beforeAll(async () => {
  cluster = await TestCluster.open(3);
  dir = mkdtempSync(join(tmpdir(), "slct-readme-"));
});
afterAll(async () => {
  rmSync(dir, { recursive: true, force: true });
  await cluster.close();
});

test("the commands of the README print what it shows", async () => {
  const text = readFileSync(readme, "utf8");
  const commands = tasksOf(text).flatMap((task) => ("command" in task ? [here(task.command)] : []));
  expect(commands.length).toBeGreaterThan(5);
  const seen = withOutputs(text, await runAll(commands, dir));
  if (process.env.REWRITE === "1") writeFileSync(readme, seen);
  expect(mask(seen)).toBe(mask(text));
});

test("the one-liners of the API table work, in their order", async () => {
  const table = readFileSync(readme, "utf8").matchAll(/^\|.*`curl.*$/gm);
  const commands = [...table].flatMap(([row]) =>
    [...row.matchAll(/`(curl [^`]*)`/g)].map(([, command]) => command ?? ""),
  );
  expect(commands.length).toBeGreaterThan(12);
  let lock = "";
  for (const command of commands) {
    // Where the table says "…" a reader fills in a lock: that of a lease taken by hand.
    if (command.includes("…")) {
      const taken = await cluster.call<{ Lock?: string }>("/state/a/lock", { method: "POST", body: { For: 60 } });
      lock = taken.body.Lock ?? lock;
    }
    const waits = /wait=|-N /.test(command);
    const line = here(command)
      .replace("…", lock)
      .replace("curl ", `curl -sf -o /dev/null -m ${waits ? 1 : 10} `);
    const [output] = await runAll([`${line}; echo "exit $?"`], dir);
    expect([command, waits && output === "exit 28\n" ? "exit 0\n" : output]).toEqual([command, "exit 0\n"]);
  }
});

test("the program of the README runs as it stands there", async () => {
  const [, program = ""] = /```ts\n([\s\S]*?)```/.exec(readFileSync(readme, "utf8")) ?? [];
  expect(program.split("\n").filter((line) => line !== "").length).toBe(15);
  // Inside of the package, which it imports under its name.
  const place = mkdtempSync(join(import.meta.dirname, "../../dist/readme-"));
  try {
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    const file = join(place, "hello.mjs");
    writeFileSync(file, ts.transpileModule(here(program), { compilerOptions }).outputText);
    const { stdout } = await promisify(execFile)(process.execPath, [file]);
    expect(stdout).toMatch(/^started hello\/[0-9a-f-]{36}\nbegun for you, and told: welcome\n$/);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

/** The README's ports and directory are those of `npm start`; the test has its own. */
function here(command: string): string {
  const script = `${process.execPath} ${clusterScript} --data ${cluster.dir}`;
  return atPort(command, cluster.port).replace("npm run -s cluster --", script);
}
