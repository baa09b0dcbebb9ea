import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { findIdentity, openIdentity } from "../../cluster/identity.js";

const members = [{ id: "n1", peer: "h:1", api: "http://h" }];
const open = (clusterId = "c", nodeId = "n1") => openIdentity(dir, clusterId, nodeId, members);

const halfMember = JSON.stringify({
  ...{ clusterId: "c", nodeId: "n1", instance: "0123456789", epoch: 1 },
  members: [{ id: "n1" }],
});

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
  const first = open();
  expect(first).toEqual({ clusterId: "c", nodeId: "n1", instance: first.instance, epoch: 1, members });
  expect(open()).toEqual({ ...first, epoch: 2 });
  expect(findIdentity(dir, "c", "n1")?.epoch).toBe(2);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
});

it.each([
  ["node", "c", "n2"],
  ["cluster", "d", "n1"],
])("I18 refuses the directory of another %s and leaves it alone", (_, clusterId, nodeId) => {
  open();
  expect(() => open(clusterId, nodeId)).toThrow("belongs to node n1 of cluster c");
  expect(findIdentity(dir, "c", "n1")?.epoch).toBe(1);
});

it("I18 begins with its members once", () => {
  openIdentity(dir, "c", "n1", []);
  expect(open().members).toEqual([]);
});

it("names a directory so that another one of the same node is told from it", () => {
  const { instance } = open();
  dir = join(root, "other");
  expect(open().instance).not.toBe(instance);
});

it.each(["", "{", "null", "{}", '{"clusterId":"c","nodeId":"n1","epoch":1}', halfMember])(
  "does not take a damaged file for a new directory: %j",
  (text) => {
    open();
    writeFileSync(join(dir, "identity.json"), text);
    expect(() => open()).toThrow("damaged");
  },
);

it("is not troubled by a write that was cut short", () => {
  open();
  writeFileSync(join(dir, "identity.json.tmp"), "{");
  expect(open().epoch).toBe(2);
});
