import { describe, expect, it } from "vitest";
import { alarmKinds, type AlarmKind } from "../../cluster/alarms.js";
import type { StateMark } from "../../cluster/consistency.js";
import { Health } from "../../cluster/health.js";
import { ManualTime } from "./manual-time.js";

const mebibyte = 1024 * 1024;
const freeMin = 512 * mebibyte;
const timeoutMs = 600;
const tickMs = 25;

function open({ others = ["n2", "n3"] }: { others?: readonly string[] } = {}) {
  const time = new ManualTime();
  const world = { free: 4 * freeMin, size: 100 * freeMin, broken: false, others: [...others] };
  const lines: { level: string; event: string; text: string }[] = [];
  const errors: unknown[] = [];
  const stalls: number[] = [];
  const line = (level: string) => (details: object, text: string) =>
    void lines.push({ level, event: (details as { event?: string }).event ?? "", text });
  const store = {
    appliedIndex: 1,
    stateHash: (): Promise<StateMark> => Promise.resolve({ index: store.appliedIndex, hash: `h${store.appliedIndex}` }),
  };
  const health = new Health({
    ...{ self: "n1", others: () => world.others, store, logTimeMs: 0, time, timeoutMs },
    logger: { warn: line("warn"), info: line("info") } as never,
    ...{ diskFreeMin: freeMin, observeStall: (seconds) => stalls.push(seconds) },
    space: () =>
      world.broken
        ? Promise.reject(new Error("EIO"))
        : Promise.resolve({ freeBytes: world.free, sizeBytes: world.size }),
    onError: (error) => errors.push(error),
  });
  time.every(tickMs, () => health.tick());
  const say = (id: string, ...alarms: readonly AlarmKind[]) => {
    const standing = alarms.map((kind) => ({ kind, sinceMs: 1, about: "x" }));
    health.onStatus(id, { alarms: standing }, time.wallMs());
  };
  const kinds = () => health.alarms.list.map(({ kind }) => kind);
  return { time, world, lines, errors, stalls, store, health, say, kinds };
}

describe("free space", () => {
  it("below the least raises an alarm within a second, until there is a quarter more", async () => {
    const { time, world, health, kinds, lines } = open();
    await time.pass(1000);
    expect(health.status().diskFreeBytes).toBe(4 * freeMin);
    expect([kinds(), health.limit()]).toEqual([[], undefined]);
    world.free = freeMin - 1;
    await time.pass(1000);
    const since = time.wallMs();
    expect(health.alarms.list).toEqual([
      {
        kind: "disk_low",
        sinceMs: since,
        about: "511 MiB are free on the disk of the data directory, fewer than 512 MiB",
      },
    ]);
    expect(health.limit()).toEqual({ restriction: "growth", reason: "disk_low" });
    world.free = freeMin * 1.2;
    await time.pass(5000);
    expect(health.alarms.list[0]?.sinceMs).toBe(since);
    world.free = freeMin * 1.25;
    await time.pass(1000);
    expect([kinds(), health.limit()]).toEqual([[], undefined]);
    expect(lines.map(({ level, event }) => [level, event])).toEqual([
      ["warn", "alarm"],
      ["info", "alarm over"],
    ]);
  });

  it("below half of it leaves only what makes room", async () => {
    const { time, world, health, kinds } = open();
    world.free = freeMin / 2 - 1;
    await time.pass(1000);
    expect(kinds()).toEqual(["disk_low", "disk_critical"]);
    expect(health.limit()).toEqual({ restriction: "most", reason: "disk_low" });
    world.free = freeMin * 0.7;
    await time.pass(1000);
    expect(health.limit()).toEqual({ restriction: "growth", reason: "disk_low" });
  });

  it("of a small disk is low below a tenth of it, however much is asked for", async () => {
    const { time, world, health, kinds } = open();
    world.size = 64 * mebibyte;
    world.free = 6.4 * mebibyte;
    await time.pass(1000);
    expect([kinds(), health.limit()]).toEqual([[], undefined]);
    world.free = 6.3 * mebibyte;
    await time.pass(1000);
    expect(kinds()).toEqual(["disk_low"]);
    expect(health.alarms.list[0]?.about).toMatch(/^6.3 MiB are free .* fewer than 6.4 MiB$/);
    world.free = 3.1 * mebibyte;
    await time.pass(1000);
    expect(kinds()).toEqual(["disk_low", "disk_critical"]);
    world.free = 8 * mebibyte;
    await time.pass(1000);
    expect(kinds()).toEqual([]);
  });

  it("that cannot be read changes nothing, and is told", async () => {
    const { time, world, health, lines } = open();
    world.free = freeMin / 4;
    await time.pass(1000);
    world.broken = true;
    await time.pass(3000);
    expect(health.limit()).toEqual({ restriction: "most", reason: "disk_low" });
    expect(lines.at(-1)?.text).toBe("the free space of the data directory cannot be read");
  });
});

describe("an alarm of another member", () => {
  it.each([
    ["disk_low", { restriction: "growth", reason: "disk_low" }],
    ["disk_critical", { restriction: "most", reason: "disk_low" }],
    ["state_mismatch", { restriction: "all", reason: "state_mismatch" }],
    ["store_damaged", undefined],
    ["clock_skew", undefined],
  ] as const)("%s limits what the leader takes", (kind, limit) => {
    const { health, say } = open();
    say("n2", kind);
    expect(health.limit()).toEqual(limit);
    expect(health.alarms.list).toEqual([]);
    expect(alarmKinds).toContain(kind);
  });

  it("counts while it says so, is heard, and is a member", async () => {
    const { time, world, health, say } = open();
    say("n2", "disk_low");
    await time.pass(3500);
    expect(health.limit()).toBeDefined();
    await time.pass(1);
    expect(health.limit()).toBeUndefined();
    say("n2", "disk_low");
    world.others = ["n3"];
    expect(health.limit()).toBeUndefined();
    world.others = ["n2", "n3"];
    expect(health.limit()).toBeDefined();
    say("n2");
    expect(health.limit()).toBeUndefined();
  });
});

describe("clocks", () => {
  async function agreed() {
    const opened = open();
    const { time, say } = opened;
    for (const id of ["n2", "n3"]) say(id);
    await time.pass(1000);
    return opened;
  }

  it("N11 that jump ahead raise an alarm, and stamps stay within the bound", async () => {
    const { time, health, kinds, lines } = await agreed();
    const trueMs = () => time.nowMs() + 1_700_000_000_000;
    expect(kinds()).toEqual([]);
    time.offMs += 3_600_000;
    expect(health.clock.nowMs() - trueMs()).toBe(250);
    await time.pass(1000);
    expect(health.alarms.list[0]).toMatchObject({
      kind: "clock_skew",
      about: "the wall clock of this node is 3600.0 s ahead of that of the members",
    });
    expect(lines.filter(({ event }) => event === "clock jump")).toHaveLength(1);
    expect(health.limit()).toBeUndefined();
    time.offMs -= 3_600_000;
    await time.pass(1000);
    expect(kinds()).toEqual([]);
  });

  it("N10 that fall back raise an alarm", async () => {
    const { time, health } = await agreed();
    time.offMs -= 3_600_000;
    await time.pass(1000);
    expect(health.alarms.list[0]?.about).toBe("the wall clock of this node is 3600.0 s behind that of the members");
  });

  it("L16 behind the log time raise an alarm until they have caught up", async () => {
    const { time, health, kinds } = open({ others: [] });
    health.onApplied(time.wallMs() + 5000);
    await time.pass(1000);
    expect(health.alarms.list[0]?.about).toContain("log time is 4.0 s ahead of the members' clocks");
    await time.pass(4000);
    expect(kinds()).toEqual([]);
  });
});

describe("a stall", () => {
  it("is a gap of more than half an election timeout, counted and told", async () => {
    const { time, stalls, lines } = open();
    await time.pass(5000);
    time.stop(timeoutMs / 2 - tickMs);
    await time.pass(1000);
    expect(stalls).toEqual([]);
    time.stop(2 * timeoutMs);
    await time.pass(1000);
    expect(stalls).toEqual([(2 * timeoutMs) / 1000]);
    expect(lines.filter(({ event }) => event === "stall")).toHaveLength(1);
  });
});

it("leaves no timer behind", async () => {
  const { time, health, errors } = open();
  await time.pass(1000);
  health.close();
  expect(time.timers).toBe(1);
  expect(errors).toEqual([]);
});
