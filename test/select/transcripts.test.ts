/**
 * Runs every transcript of this folder, each on an engine of its own, and checks that none of the rows is forgotten.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkTranscript, listTranscripts } from "../datadriven.js";
import { Session } from "./session.js";

const folder = import.meta.dirname;
const names = listTranscripts(folder);

describe("transcripts", () => {
  test.each(names)("%s", (name) => {
    const session = new Session();
    checkTranscript(folder, name, (command) => session.run(command));
  });
});

/** Rows that no transcript of the engine can show, and why. */
const elsewhere: ReadonlyMap<string, string> = new Map([
  ["C.3 row 33", "sizes are checked before the log (protocol 8); the engine has no limit on a value"],
  ["C.3 row 34", "the number of cases is checked before the log (protocol 8)"],
  ["C.6 bug 11", "of the successor's storage layer: a missing row panics; here the fuzz test of apply covers it"],
  ["C.6 bug 12", "of the successor's storage layer: a double unlock; the engine has no mutexes"],
  ["C.6 bug 13", "of the successor's RPC layer: error texts; here codes, checked by every refusal below"],
  ["C.6 bug 14", "of the successor's batching: a busy wait"],
  ["C.6 bug 16", "of the successor's RPC layer: empty stubs"],
  ["C.6 bug 17", "of the successor's type registry, which does not exist here"],
]);

const numbered = (what: string, numbers: readonly number[]) => numbers.map((n) => `${what}${n}`);
const upTo = (n: number) => Array.from({ length: n }, (_, at) => at + 1);

describe("every row of the documents has a transcript", () => {
  const text = names.map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
  const comments = text
    .split("\n")
    .filter((line) => line.startsWith("#"))
    .join("\n");
  const rows = [
    ...numbered("C.3 row ", [...upTo(36), 38, 39]),
    ...numbered("C.6 bug ", upTo(18)),
    ...numbered("M", [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 16, 20, 21, 22]),
    ...numbered("N", [5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 18, 19, 20]),
  ];

  test.each(rows)("%s", (row) => {
    const named = new RegExp(`${row.replace(".", "\\.")}(?!\\d)`).test(comments);
    expect(named !== elsewhere.has(row), `${row} must be named once here or explained`).toBe(true);
  });
});
