import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Instances } from "../../cluster/instances.js";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "slct-instances-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

it("remembers the first instance of each node for good", () => {
  const instances = Instances.open(dir);
  expect(instances.meet("n2", "first-one")).toBe(true);
  expect(instances.meet("n2", "first-one")).toBe(true);
  expect(instances.meet("n2", "second-one")).toBe(false);
  const later = Instances.open(dir);
  expect(later.get("n2")).toBe("first-one");
  expect(later.meet("n2", "second-one")).toBe(false);
  expect(later.entries()).toEqual([["n2", "first-one"]]);
});

it("forgets removed ids", () => {
  const instances = Instances.open(dir);
  instances.meet("n2", "first-one");
  instances.meet("n3", "third-one");
  instances.forget(["n2", "n9"]);
  expect(Instances.open(dir).entries()).toEqual([["n3", "third-one"]]);
});

it.each(["", "{", "[1]", '{"n2":1}', '{"n2":"a b"}'])("does not take a damaged file for none: %j", (text) => {
  writeFileSync(join(dir, "instances.json"), text);
  expect(() => Instances.open(dir)).toThrow("damaged");
});
