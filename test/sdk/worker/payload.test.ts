/**
 * Processes that grow large: said early and once, refused with the name of what is large.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encrypted, process, type ProcessContext } from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

let cluster: TestCluster;
let warnings: string[];
beforeEach(() => {
  cluster = createTestCluster();
  warnings = [];
});
afterEach(() => cluster.close());

const warn = (message: string) => void warnings.push(message);
const kib = 1024;

function start<T>(run: (p: ProcessContext) => Promise<T>, codec?: ReturnType<typeof encrypted>) {
  const definition = process<null, T>("large", { version: 1 }, run);
  const options = codec === undefined ? {} : { codec };
  cluster.worker({ processes: [definition], cached: 0, warn, ...options });
  return cluster.newClient(options).start(definition, null, { id: "1" });
}

describe("a process that grows", () => {
  test("is warned of once for each step of its size, with what is large", async () => {
    await start(async (p) => {
      await p.step("small", () => "s".repeat(100 * kib));
      for (let n = 0; n < 5; n++) await p.step(`fetch ${n}`, () => "x".repeat((n + 1) * 150 * kib));
      await p.recv("never");
    });
    await cluster.untilQuiescent();
    expect(warnings.map((text) => text.replace(/;.*/, ""))).toEqual([
      "process large/1 puts back 551 KiB, most of it step fetch 1 (operation 3) with 301 KiB",
      "process large/1 puts back 1601 KiB, most of it step fetch 3 (operation 5) with 601 KiB",
      "process large/1 puts back 2351 KiB, most of it step fetch 4 (operation 6) with 751 KiB",
    ]);
  });

  test("by the carry of a loop, what it sends, its vars, children and result too", async () => {
    const large = "x".repeat(600 * kib);
    const child = process("child", { version: 1 }, (_, text: string) => Promise.resolve(text.length));
    const runs: [string, (p: ProcessContext) => PromiseLike<unknown>][] = [
      ["the carry of loop 1", (p) => p.loop("", async (_, p) => (await p.recv("go"), large))],
      ["what 1 sends", (p) => p.send("out", large)],
      ["vars", async (p) => ((p.vars["text"] = large), p.recv("never"))],
      ["the input of child/x", (p) => p.call(child, large, { id: "x" })],
      ["its result", () => Promise.resolve(large)],
    ];
    for (const [n, [, run]] of runs.entries()) {
      const definition = process(`large${n}`, { version: 1 }, run);
      cluster.worker({ processes: [definition], warn });
      await cluster.client.start(definition, null, { id: "1" });
      if (n === 0) await cluster.client.send("go", 1, { wait: "1s" });
      await cluster.untilQuiescent();
    }
    expect(warnings.map((text) => text.replace(/^.*most of it (.*) with.*$/, "$1"))).toEqual(
      runs.map(([what]) => what),
    );
  });

  test("however it is written", async () => {
    const fetch = async (p: ProcessContext) => {
      await p.step("fetch", () => "x".repeat(500 * kib));
      await p.recv("never");
    };
    await start(fetch, encrypted(new Uint8Array(32)));
    await cluster.untilQuiescent();
    expect(warnings[0]).toMatch(/^process large\/1 puts back 66\d KiB, most of it step fetch/);
  });
});

test("a process that the service does not take is paused, with what is too large", async () => {
  const started = await start(async (p) => {
    await p.step("fetch", () => "x".repeat(4 * kib * kib));
    await p.recv("never");
  });
  await cluster.untilQuiescent();
  const { Status, PausedReason } = await cluster.client.getState(started.id);
  expect([Status, PausedReason]).toEqual([
    "paused",
    expect.stringMatching(
      /^process large\/1 cannot be put back: \d+ KiB, most of it step fetch \(operation 1\) with 4097 KiB; the service takes 4 MiB/,
    ),
  ]);
});
