/**
 * The transcript runner itself: what it reads, what it reports, what it would write back.
 */
import { describe, expect, test } from "vitest";
import { parseTranscript, runTranscript } from "./datadriven.js";

const upper = (command: string) => command.toUpperCase();

describe("a transcript", () => {
  test("that matches has no problems and is rewritten to itself", () => {
    const text = "# A comment.\nab\n----\nAB\n\nc\nd\n----\nC\nD\n";
    expect(runTranscript("x.txt", text, upper)).toEqual({ rewritten: text, problems: [] });
  });

  test("that differs names file, line, command and both outputs, and is rewritten to what came out", () => {
    const { rewritten, problems } = runTranscript("x.txt", "\nab\n----\nAC\n", upper);
    expect(problems).toEqual(["x.txt:2\n> ab\n- AC\n+ AB"]);
    expect(rewritten).toBe("\nab\n----\nAB\n");
  });

  test("tells lines in another order, missing output and unexpected output", () => {
    const text = "a\nb\n----\nB\nA\n\nc\n----\n\nd\n----\nD\nE\n";
    const { problems } = runTranscript("x.txt", text, upper);
    expect(problems).toEqual([
      "x.txt:1\n> a\n> b\n(same lines, other order)\n+ A\n+ B",
      "x.txt:7\n> c\n+ C",
      "x.txt:10\n> d\n  D\n- E",
    ]);
  });

  test("joins indented lines to the command above them", () => {
    const seen: string[] = [];
    runTranscript("x.txt", "put a\n  spawn b\nput c\n----\n", (command) => {
      seen.push(command);
      return "";
    });
    expect(seen).toEqual(["put a\nspawn b", "put c"]);
  });

  test("without a rule is an error that names the line", () => {
    expect(() => parseTranscript("\nput a\n\nput b\n----\n")).toThrow('line 2: "put a" has no ----');
  });
});
