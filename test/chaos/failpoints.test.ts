/** Failpoints: each site is where its name says, once; only tests can arm them; what they do, they do once. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { strikeAt } from "../../chaos/arming.js";
import { armFailpoints, failpoint, sites } from "../../cluster/failpoint.js";
import { listFiles, root } from "../tidy/sources.js";

const textOf = (path: string) => readFileSync(join(root, path), "utf8");
afterEach(() => armFailpoints(undefined));

describe("sites", () => {
  const placed = listFiles("cluster/*.ts")
    .filter((path) => path !== "cluster/failpoint.ts")
    .flatMap((path) => [...textOf(path).matchAll(/"(\w+\.(?:before|after)-[\w-]+)"/g)].map(([, site]) => site));

  test("are at least thirty, each in one place", () => {
    expect(sites.length).toBeGreaterThanOrEqual(30);
    expect([...placed].sort()).toEqual([...sites].sort());
  });

  test("are armed by nothing that a node is made of", () => {
    const arming = listFiles("*.ts").filter((path) => textOf(path).includes("armFailpoints"));
    expect(arming.filter((path) => !path.startsWith("test/"))).toEqual(["chaos/node.ts", "cluster/failpoint.ts"]);
  });
});

describe("a site", () => {
  test("does nothing unless it is armed", () => {
    expect(() => failpoint("driver.before-send")).not.toThrow();
  });

  test("throws once, after as many passes as it was told, and lets others pass", () => {
    armFailpoints(strikeAt({ site: "driver.before-send", action: { kind: "throw" }, after: 1 }));
    failpoint("driver.after-send");
    failpoint("driver.before-send");
    expect(() => failpoint("driver.before-send")).toThrow("failpoint driver.before-send");
    failpoint("driver.before-send");
  });

  test("stalls everything", () => {
    armFailpoints(strikeAt({ site: "driver.before-send", action: { kind: "sleep", ms: 30 }, after: 0 }));
    const beganMs = performance.now();
    failpoint("driver.before-send");
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(29);
  });
});
