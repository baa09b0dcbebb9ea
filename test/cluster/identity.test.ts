import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { findIdentity, openIdentity } from "../../cluster/identity.js";

let root = "";
let dir = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slct-identity-"));
  dir = join(root, "data");
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

it("counts the runs of a node", () => {
  expect(findIdentity(dir, "c", "n1")).toBeUndefined();
  expect(existsSync(dir)).toBe(false);
  expect(openIdentity(dir, "c", "n1")).toEqual({ clusterId: "c", nodeId: "n1", epoch: 1 });
  expect(openIdentity(dir, "c", "n1").epoch).toBe(2);
  expect(findIdentity(dir, "c", "n1")?.epoch).toBe(2);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
});

it.each([
  ["node", "c", "n2"],
  ["cluster", "d", "n1"],
])("refuses the directory of another %s and leaves it alone", (_, clusterId, nodeId) => {
  openIdentity(dir, "c", "n1");
  expect(() => openIdentity(dir, clusterId, nodeId)).toThrow("belongs to node n1 of cluster c");
  expect(findIdentity(dir, "c", "n1")?.epoch).toBe(1);
});

it.each(["", "{", "null", "{}", '{"clusterId":"c","nodeId":"n1"}', '{"clusterId":"c","nodeId":"n1","epoch":1.5}'])(
  "does not take a damaged file for a new directory: %j",
  (text) => {
    openIdentity(dir, "c", "n1");
    writeFileSync(join(dir, "identity.json"), text);
    expect(() => openIdentity(dir, "c", "n1")).toThrow("damaged");
  },
);

it("is not troubled by a write that was cut short", () => {
  openIdentity(dir, "c", "n1");
  writeFileSync(join(dir, "identity.json.tmp"), "{");
  expect(openIdentity(dir, "c", "n1").epoch).toBe(2);
});
