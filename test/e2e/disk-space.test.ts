/**
 * The disk of one member of three fills up: the cluster refuses early what needs room, on every node, in two steps, stays
 * readable, lets room be made, and takes everything again when there is room. Reliability 48.
 */
import { readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster, waitFor } from "./harness.js";
import { agreedHash } from "./replicas.js";
import { fileOf, noSmallDisk, withSmallDisk } from "./small-disk.js";
import { gauge } from "./vitals.js";

const mebibyte = 1024 * 1024;
/** Low below a tenth of it, critical below a twentieth. */
const diskBytes = 64 * mebibyte;
const lowBytes = 4.5 * mebibyte;
const criticalBytes = 2.5 * mebibyte;
const full = "n3";
/** Segments are made ahead of need. */
const flags = ["--log-segment-bytes", String(mebibyte), "--log-tail-bytes", String(mebibyte)];
const noticedMsMax = 30_000;

interface Status {
  readonly Nodes: readonly {
    readonly ID: string;
    readonly DiskFreeBytes: number;
    readonly Alarms: readonly { readonly Kind: string; readonly Since: number; readonly About: string }[];
  }[];
}

interface Problem {
  readonly code?: string;
  readonly detail?: string;
}

const never = { Selects: [{ ID: "1", Cases: [{ Op: 1, Chan: "never" }] }] };
const atOnce = { Selects: [{ ID: "1", Cases: [{ Op: 4 }] }] };

// Where no file system can be mounted this is reported as skipped; .ci/run says how many are.
describe.skipIf(noSmallDisk !== undefined)(`a member without room${noSmallDisk ? ` (${noSmallDisk})` : ""}`, () => {
  let cluster: TestCluster;
  let lock: string;
  /** As this process finds it. */
  let disk: string;

  beforeAll(async () => {
    cluster = await TestCluster.open(3, flags, (dir) => withSmallDisk(join(dir, full), diskBytes));
    disk = fileOf(cluster.member(full).pid, join(cluster.dir, full));
    for (const id of ["kept", "dropped"]) expect((await put(id, never)).status).toBe(201);
    expect((await put("held", atOnce)).status).toBe(201);
    lock = await lease();
  });
  afterAll(() => cluster?.close());

  function put(id: string, body: object, node?: string, headers: Readonly<Record<string, string>> = {}) {
    const where = node === undefined ? {} : { node, once: true };
    return cluster.call<Problem>(`/state/${id}`, { method: "PUT", body, headers, ...where });
  }

  async function lease(): Promise<string> {
    const { body } = await cluster.call<{ Lock: string }[]>("/state/poll?prefix=held&lease=600&wait=5");
    return body[0]?.Lock ?? "";
  }

  function fillUpTo(freeBytes: number): void {
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(join(disk, "ballast"), Buffer.alloc(bavail * bsize - freeBytes), { flag: "a" });
  }

  async function alarms(node: string): Promise<readonly string[]> {
    const { body } = await cluster.call<Status>("/cluster", { node, once: true });
    return body.Nodes.find(({ ID }) => ID === full)?.Alarms.map(({ Kind }) => Kind) ?? [];
  }

  async function everywhere(kinds: readonly string[]): Promise<void> {
    for (const node of cluster.ids) {
      const agrees = async () => JSON.stringify(await alarms(node)) === JSON.stringify(kinds);
      await waitFor(`[${kinds.join()}] at ${node}`, agrees, noticedMsMax);
    }
  }

  async function newWorkIsRefused(round: string): Promise<void> {
    for (const node of cluster.ids) {
      const { status, headers, body } = await put(`${round}-${node}`, never, node);
      expect([status, body.code, headers.get("retry-after")]).toEqual([503, "overloaded", "1"]);
      expect(body.detail).toMatch(/disk of a member is nearly full.*nothing was done/);
      const sent = await cluster.call("/channel/c/send", { method: "POST", body: { Data: 1 }, node, once: true });
      expect(sent.status).toBe(503);
    }
  }

  async function allIsReadable(round: string): Promise<void> {
    for (const node of cluster.ids) {
      for (const path of ["/state/kept", "/state", "/channel", "/cluster", "/readyz", "/metrics"])
        expect([node, path, (await cluster.call(path, { node, once: true })).status]).toEqual([node, path, 200]);
      expect((await cluster.call(`/state/${round}-${node}`, { node, once: true })).status).toBe(404);
    }
  }

  test("is told by an alarm in the status of every node, in the metrics, and in its log", async () => {
    fillUpTo(lowBytes);
    await everywhere(["disk_low"]);
    expect(await gauge(cluster, full, `slct_alarm{kind="disk_low"}`)).toBe(1);
    expect(await gauge(cluster, full, `slct_alarm{kind="disk_critical"}`)).toBe(0);
    const freeBytes = await gauge(cluster, full, "slct_disk_free_bytes");
    expect(freeBytes).toBeGreaterThan(0);
    expect(freeBytes).toBeLessThan(diskBytes / 10);
    const lines = readFileSync(join(disk, "node.log"), "utf8").split("\n");
    expect(lines.find((line) => line.includes(`"alarm":"disk_low"`))).toMatch(
      /are free on the disk of the data directory, fewer than 6\.4 MiB/,
    );
  });

  test("makes the cluster refuse new work through every node; work under way is finished", async () => {
    await newWorkIsRefused("low");
    await allIsReadable("low");
    expect((await put("held", atOnce, full, { "Slct-Lock": lock })).status).toBe(200);
    lock = await lease();
    expect(lock).not.toBe("");
  });

  test("makes it refuse all but what makes room when less is left; everything is readable", async () => {
    fillUpTo(criticalBytes);
    await everywhere(["disk_low", "disk_critical"]);
    await newWorkIsRefused("critical");
    expect((await put("held", never, full, { "Slct-Lock": lock })).status).toBe(503);
    await allIsReadable("critical");
    const gone = await cluster.call("/state/dropped?force=true", { method: "DELETE", node: full, once: true });
    const headers = { "Slct-Lock": lock };
    const given = await cluster.call("/state/held/lock", { method: "DELETE", node: full, once: true, headers });
    expect([gone.status, given.status]).toEqual([200, 200]);
  });

  test("that has room again is no hindrance any more", async () => {
    rmSync(join(disk, "ballast"));
    const began = performance.now();
    await waitFor("a write", async () => (await put("after", never, full)).status === 201, noticedMsMax);
    console.log(`taken again after ${(performance.now() - began).toFixed()} ms`);
    await everywhere([]);
    expect((await cluster.call("/state/dropped")).status).toBe(404);
    await agreedHash(cluster);
  });
});
