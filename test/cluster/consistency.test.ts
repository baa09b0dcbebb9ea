import { expect, it } from "vitest";
import { Alarms } from "../../cluster/alarms.js";
import { Consistency, periodMs, type StateMark } from "../../cluster/consistency.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Replicas that apply the same entries, each at its own pace. */
function open(ids: readonly string[]) {
  const members = [...ids];
  const replicas = new Map(ids.map((id) => [id, new Replica(id, members)]));
  const at = (id: string) => replicas.get(id) as Replica;
  /** Each tells all others what it has. */
  const exchange = () => {
    for (const from of replicas.values()) {
      const { latest } = from.consistency;
      if (latest === undefined) continue;
      for (const to of replicas.values()) if (to !== from) to.consistency.onMark(from.id, latest);
    }
  };
  const second = async () => {
    for (const { consistency } of replicas.values()) consistency.tick();
    await turn();
    exchange();
  };
  const alarms = () => [...replicas.values()].filter(({ alarms }) => alarms.list.length > 0).map(({ id }) => id);
  return { at, exchange, second, alarms, members };
}

class Replica {
  readonly id: string;
  readonly alarms = new Alarms({ logger: { warn: () => undefined, info: () => undefined }, wallMs: () => 0 });
  readonly consistency: Consistency;
  readonly marks: StateMark[] = [];
  appliedIndex = 0;
  /** A record that only this replica has. */
  flipped = "";
  /** A write is under way: the next mark is that of a later index. */
  busy = 0;
  failure: Error | undefined;
  readonly errors: unknown[] = [];

  constructor(id: string, members: readonly string[]) {
    this.id = id;
    this.consistency = new Consistency({
      ...{ self: id, others: () => members.filter((one) => one !== id), store: this, logTimeMs: 0 },
      ...{ alarms: this.alarms, onError: (error) => this.errors.push(error) },
    });
  }

  stateHash(): Promise<StateMark> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const index = this.appliedIndex + this.busy;
    const mark = { index, hash: `${index}${this.flipped}` };
    this.marks.push(mark);
    return Promise.resolve(mark);
  }

  async apply(logTimeMs: number): Promise<void> {
    this.appliedIndex++;
    this.consistency.onApplied(logTimeMs);
    await turn();
  }
}

it("takes hashes at the first entry of each period of log time, so that replicas have them at the same indexes", async () => {
  const { at } = open(["n1", "n2"]);
  for (let n = 1; n <= 100; n++) for (const id of ["n1", "n2"]) await at(id).apply(n * (periodMs / 10) - 1);
  const indexes = at("n1").marks.map(({ index }) => index);
  expect(indexes).toEqual([11, 21, 31, 41, 51, 61, 71, 81, 91]);
  expect(at("n2").marks).toEqual(at("n1").marks);
});

it("takes one more when nothing comes, and then none", async () => {
  const { at, second } = open(["n1", "n2"]);
  await at("n1").apply(1);
  for (let n = 0; n < 5; n++) await second();
  expect(at("n1").marks).toEqual([{ index: 1, hash: "1" }]);
});

it("finds a difference under load, whoever lags, and it is over when the records are equal again", async () => {
  const { at, exchange, alarms } = open(["n1", "n2", "n3"]);
  at("n2").flipped = "!";
  for (let n = 1; n <= 30; n++) {
    for (const id of ["n1", "n3"]) await at(id).apply(n * periodMs);
    exchange();
  }
  expect(alarms()).toEqual([]);
  // Thirty periods behind: the others still have their marks of that time.
  await at("n2").apply(periodMs);
  exchange();
  expect(alarms()).toEqual(["n1", "n2", "n3"]);
  expect(at("n1").alarms.list[0]?.about).toBe("the records of n1 are not those of n2 at index 1");
  expect(at("n2").alarms.list[0]?.about).toBe(
    "the records of n2 are not those of n1 at index 1, nor those of n3 at index 1",
  );
  at("n2").flipped = "";
  for (let n = 2; n <= 30; n++) {
    await at("n2").apply(n * periodMs);
    exchange();
  }
  expect(alarms()).toEqual([]);
});

it("finds a difference at rest", async () => {
  const { at, second, alarms } = open(["n1", "n2"]);
  at("n2").flipped = "!";
  for (const id of ["n1", "n2"]) await at(id).apply(1);
  for (let n = 0; n < 3; n++) await second();
  expect(alarms()).toEqual(["n1", "n2"]);
});

it("does not take a mark of another index for one of this, and does not show it", async () => {
  const { at, exchange, alarms } = open(["n1", "n2"]);
  at("n1").busy = 3;
  await at("n1").apply(periodMs);
  expect(at("n1").marks).toEqual([{ index: 4, hash: "4" }]);
  expect(at("n1").consistency.latest).toBeUndefined();
  at("n1").busy = 0;
  for (let n = 2; n <= 4; n++) await at("n1").apply(n * periodMs);
  exchange();
  expect(at("n1").consistency.latest).toEqual({ index: 4, hash: "4" });
  expect(alarms()).toEqual([]);
});

it("drops what it held against a member that is none any more", async () => {
  const { at, second, alarms, members } = open(["n1", "n2"]);
  at("n2").flipped = "!";
  for (const id of ["n1", "n2"]) await at(id).apply(1);
  for (let n = 0; n < 3; n++) await second();
  members.pop();
  at("n1").consistency.tick();
  expect(alarms()).toEqual(["n2"]);
});

it("reports a store that fails, but not one that is closed meanwhile", async () => {
  const { at, second } = open(["n1", "n2"]);
  at("n1").failure = new Error("gone");
  at("n2").failure = new Error("closed");
  at("n2").consistency.close();
  for (let n = 0; n < 2; n++) await second();
  expect(at("n1").errors).toHaveLength(1);
  expect(at("n2").errors).toEqual([]);
});
