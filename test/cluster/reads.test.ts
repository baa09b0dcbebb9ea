import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Reads } from "../../cluster/reads.js";
import type { Leadership } from "../../cluster/proposals.js";
import type { SlctError } from "../../src/errors.js";
import { settled } from "./engine.js";
import { Mesh, timeoutMs } from "./mesh.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: unknown) => (error as SlctError).code,
  );

describe("through real cores", () => {
  it.each(["n1", "n2"])("one round serves all that %s waits for, and shows what was written before", async (id) => {
    const mesh = new Mesh(["n1", "n2", "n3"]);
    mesh.elect("n1");
    const written = mesh.node("n3").submit("a");
    mesh.settle();
    const { index } = await written;
    const node = mesh.node(id);
    const before = mesh.sent.length;
    const reads = Array.from({ length: 100 }, () => node.fresh());
    mesh.settle();
    await Promise.all(reads);
    expect(node.appliedIndex).toBeGreaterThanOrEqual(index);
    expect(mesh.sent.length - before).toBeLessThan(10);
  });

  it("waits until this node has applied what was confirmed", async () => {
    const mesh = new Mesh(["n1", "n2", "n3"]);
    mesh.elect("n1");
    const n2 = mesh.node("n2");
    n2.stalled = true;
    const written = mesh.node("n3").submit("a");
    mesh.settle();
    await written;
    const seen = { applied: 0 };
    const read = n2.fresh().then(() => (seen.applied = n2.appliedIndex));
    mesh.settle();
    await settled();
    expect(seen.applied).toBe(0);
    n2.stalled = false;
    n2.run();
    await read;
    expect(n2.applied).toContain("a");
  });

  it("is not served by a leader that was deposed", async () => {
    const mesh = new Mesh(["n1", "n2", "n3"]);
    mesh.elect("n1");
    const n1 = mesh.node("n1");
    mesh.isolate("n1");
    mesh.loseLeader("n2");
    mesh.loseLeader("n3");
    mesh.elect("n3");
    const written = mesh.node("n2").submit("a");
    mesh.settle();
    await written;
    const seen: string[] = [];
    const read = n1.fresh().then(() => seen.push(...n1.applied));
    mesh.settle();
    await settled();
    expect(seen).toEqual([]);
    mesh.heal();
    mesh.node("n3").raft.tick();
    mesh.settle();
    mesh.node("n3").raft.tick();
    mesh.settle();
    n1.reads.sweep(n1.leadership);
    mesh.settle();
    await read;
    expect(seen).toContain("a");
  });
});

describe("by itself", () => {
  const led: Leadership = { leader: "n1", term: 3, hopeless: false };
  const leaderless: Leadership = { leader: null, term: 3, hopeless: false };
  const linearizable = { stale: false, minIndex: 0 };

  function open(readsMax = 100) {
    const asked: number[] = [];
    const at = { applied: 5 };
    const reads = new Reads({
      ...{ timeoutMs, readsMax, wake: () => undefined },
      applied: () => at.applied,
      ask: (context) => asked.push(context),
    });
    const apply = (index: number) => {
      at.applied = index;
      reads.onApplied(index);
    };
    return { reads, asked, apply };
  }

  it("a later read is not served by an earlier round", async () => {
    const { reads, asked } = open();
    const ends: string[] = [];
    void reads.fresh(linearizable, led).then(() => ends.push("early"));
    reads.pump(led);
    void reads.fresh(linearizable, led).then(() => ends.push("late"));
    reads.pump(led);
    expect(asked).toEqual([1]);
    reads.onReads([{ context: 1, index: 5 }]);
    await settled();
    expect(ends).toEqual(["early"]);
    reads.pump(led);
    reads.onReads([{ context: 1, index: 5 }]);
    await settled();
    expect(ends).toEqual(["early"]);
    reads.onReads([{ context: 2, index: 5 }]);
    await settled();
    expect(ends).toEqual(["early", "late"]);
  });

  it("asks again when refused: under another term at once, under the same one with the next tick", async () => {
    const { reads, asked } = open();
    const read = codeOf(reads.fresh(linearizable, led));
    reads.pump(led);
    reads.onReads([{ context: 1, index: 0 }]);
    reads.pump(led);
    expect(asked).toEqual([1]);
    reads.pump({ ...led, term: 4 });
    expect(asked).toEqual([1, 2]);
    reads.onReads([{ context: 2, index: 0 }]);
    reads.sweep(led);
    reads.pump({ ...led, term: 4 });
    reads.onReads([{ context: 3, index: 5 }]);
    expect(await read).toBe("done");
  });

  it("asks again when the answer is lost, and takes no answer to the first question", async () => {
    const { reads, asked } = open();
    const read = codeOf(reads.fresh(linearizable, led));
    reads.pump(led);
    vi.advanceTimersByTime(501);
    reads.sweep(led);
    reads.pump(led);
    reads.onReads([{ context: 1, index: 5 }]);
    reads.onReads([{ context: 2, index: 5 }]);
    expect(asked).toEqual([1, 2]);
    expect(await read).toBe("done");
  });

  it("waits for minIndex, in the order of the indexes, until the deadline", async () => {
    const { reads, apply } = open();
    const ends: string[] = [];
    const wait = (minIndex: number) =>
      void codeOf(reads.fresh({ stale: true, minIndex }, leaderless)).then((end) => ends.push(`${minIndex} ${end}`));
    [9, 7, 20, 5].forEach(wait);
    await settled();
    expect(ends).toEqual(["5 done"]);
    apply(8);
    await settled();
    apply(9);
    await settled();
    vi.advanceTimersByTime(timeoutMs + 1);
    reads.sweep(leaderless);
    await settled();
    expect(ends).toEqual(["5 done", "7 done", "9 done", "20 timeout"]);
  });

  it("without a leader waits for the grace and is then refused at once", async () => {
    const { reads, asked } = open();
    const early = codeOf(reads.fresh(linearizable, leaderless));
    reads.pump(leaderless);
    const hopeless = { ...leaderless, hopeless: true };
    reads.sweep(hopeless);
    expect(await early).toBe("no_leader");
    expect(await codeOf(reads.fresh(linearizable, hopeless))).toBe("no_leader");
    expect(await codeOf(reads.fresh({ stale: true, minIndex: 0 }, hopeless))).toBe("done");
    expect(asked).toEqual([]);
  });

  it("is bounded", async () => {
    const { reads } = open(3);
    const waiting = [1, 2].map(() => codeOf(reads.fresh(linearizable, led)));
    reads.pump(led);
    waiting.push(codeOf(reads.fresh({ stale: true, minIndex: 99 }, led)));
    expect(await codeOf(reads.fresh(linearizable, led))).toBe("overloaded");
    expect(await codeOf(reads.fresh({ stale: true, minIndex: 5 }, led))).toBe("done");
    reads.close();
    expect(await Promise.all(waiting)).toEqual(["no_leader", "no_leader", "no_leader"]);
    expect(await codeOf(reads.fresh(linearizable, led))).toBe("no_leader");
  });
});
