/**
 * Three members die together at each named place of their code, one place after the other on the same directories: what
 * was acknowledged before is there afterwards, on each of them, and once.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sites } from "../../cluster/failpoint.js";

const program = join(import.meta.dirname, "../../dist/test/e2e/crash-program.js");
const runMsMax = 90_000;

let dir = "";
const acknowledged: string[] = [];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "slct-crash-sites-"));
  mkdirSync(join(dir, "members"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/**
 * Its output goes to files: a pipe that is full refuses what a process writes that may die at any moment.
 * @returns the lines it printed, and how it ended
 */
function run(...more: readonly string[]): Promise<{ lines: string[]; end: string }> {
  const [known, out, err] = ["acknowledged.json", "out", "err"].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(known, JSON.stringify(acknowledged));
  const [outFd, errFd] = [openSync(out, "w"), openSync(err, "w")];
  const args = [program, join(dir, "members"), known, ...more];
  const child = spawn(process.execPath, args, { stdio: ["ignore", outFd, errFd], timeout: runMsMax });
  closeSync(outFd);
  closeSync(errFd);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      const stderr = readFileSync(err, "utf8");
      const end = signal ?? String(code);
      resolve({
        lines: readFileSync(out, "utf8").trimEnd().split("\n"),
        end: stderr === "" ? end : `${end} ${stderr}`,
      });
    });
  });
}

const after = (word: string, lines: readonly string[]) =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

describe("L4 a crash of all nodes at each named place", () => {
  test.each(sites.map((site, at) => [site, `r${at}`] as const))("L4 %s", async (site, round) => {
    const { lines, end } = await run(round, site);
    expect(end).toBe("SIGKILL");
    // Those places are passed before a node can say anything.
    if (!site.startsWith("file.")) expect(after("verified", lines)).toEqual([String(acknowledged.length)]);
    acknowledged.push(...after("done", lines));
  });

  test("L4 afterwards everything acknowledged is there, and once", async () => {
    const { lines, end } = await run("end");
    expect(end).toBe("0");
    expect(after("verified", lines)).toEqual([String(acknowledged.length)]);
    const held = after("held", lines);
    expect(new Set(held).size).toBe(held.length);
    const sent = acknowledged.filter((text) => text.startsWith("q"));
    // Some places are passed before anything is acknowledged, and on a busy machine many.
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.filter((text) => !held.includes(text))).toEqual([]);
  });
});
