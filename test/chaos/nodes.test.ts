/** What is said of the nodes themselves: whether their records agree, and whether one had a reason to end. */
import { describe, expect, test } from "vitest";
import { judge } from "../../chaos/convergence.js";
import { foundDamage, isFair } from "../../chaos/own-end.js";

describe("replicas", () => {
  const node = (ID: string, Index: number, Hash: string) => ({ ID, StateHash: { Index, Hash } });

  test("agree when all are at one index with one hash", () => {
    expect(judge([node("n1", 7, "a"), node("n2", 7, "a")], 2)).toEqual({ index: 7, hash: "a" });
  });

  test("are waited for while one is missing, behind or silent about it", () => {
    expect(judge([node("n1", 7, "a")], 2)).toBeUndefined();
    expect(judge([node("n1", 7, "a"), node("n2", 6, "b")], 2)).toBeUndefined();
    expect(judge([{ ID: "n1" }, node("n2", 6, "b")], 2)).toBeUndefined();
  });

  test("that differ at one index are wrong", () => {
    expect(judge([node("n1", 7, "a"), node("n2", 7, "b")], 2)).toMatchObject({ kind: "wrong" });
  });
});

describe("a node", () => {
  const fatal = (type: string, message: string) =>
    `{"level":60,"event":"fatal","err":{"type":"${type}","message":"${message}"},"msg":"fatal: the node stops"}`;

  test.each<[string, boolean, string, string]>([
    ["because it was removed", true, "exit code 0", "stopped"],
    ["because a failpoint killed it", true, "signal SIGKILL", ""],
    ["because a failpoint threw", true, "exit code 70", fatal("Error", "failpoint log.before-write")],
    ["because its disk failed", true, "exit code 70", fatal("StorageError", "a write to the log failed")],
    ["over a broken invariant", false, "exit code 70", fatal("InvariantError", "entry 7 is committed twice")],
    ["over a mistake in the program", false, "exit code 70", fatal("TypeError", "x is not a function")],
    ["without memory", false, "signal SIGABRT", "FATAL ERROR: Reached heap limit"],
  ])("ends %s", (_, fair, how, said) => {
    expect(isFair({ id: "n1", how, said })).toBe(fair);
  });

  test.each([
    ["damaged records", true, "the store is damaged: the record s is not what was stored (n1/store)."],
    ["a damaged log", false, "the log is damaged: a record is not what was written (n1/log)."],
    ["a full disk", false, "the store failed: no space left on device (n1/store)."],
  ])("that ended over %s is started again for it: %s", (_, again, message) => {
    expect(foundDamage({ id: "n1", how: "exit code 1", said: fatal("StorageError", message) })).toBe(again);
  });
});
