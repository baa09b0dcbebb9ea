/**
 * Apply is total (D13): commands of the right shape with any numbers, names and references in them, through the codec of
 * the log, never throw, and two engines make the same of them.
 */
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { decodeEntry, encodeEntry, stampEntry } from "../../src/codec.js";
import { Machine } from "../../src/select/machine.js";
import type { Command, Extras } from "../../src/select/command.js";
import type { CaseSpec, Raw, Ref, SelectSpec } from "../../src/select/types.js";
import { MapView } from "../../src/select/view-map.js";
import { Random } from "../../sim/random.js";
import { settings } from "../../sim/model/steps.js";

const runs = Number(process.env["SELECT_FUZZ"] ?? 400);
const commandsPerRun = 100;

const numbers = [
  0,
  1,
  2,
  3,
  -1,
  0.5,
  1e3,
  1_700_000_000_000,
  2 ** 31,
  2 ** 32 + 1,
  Number.MAX_SAFE_INTEGER,
  2 ** 53 + 2,
  1e300,
  -1e300,
  Infinity,
  -Infinity,
  NaN,
] as const;
const names = ["", "a", "b", "é", "🚀", "__proto__", "constructor", "a/b", " ", "x".repeat(600)] as const;
const texts = ["null", "{}", '"x"', "", "not json"] as const;

class Fuzz {
  readonly #random: Random;
  readonly #tokens: string[] = [];
  readonly #keys: string[] = [];

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  learn(view: MapView): void {
    for (const [key, value] of view) {
      if (key.startsWith("t\0")) this.#keys.push(key);
      const lock = typeof value === "object" && value && "lock" in value ? value.lock : undefined;
      if (typeof lock === "object" && lock && "token" in lock) this.#tokens.push(String(lock.token));
    }
  }

  number(): number {
    return this.#random.of(numbers);
  }

  #name(): string {
    return this.#random.chance(0.8) ? this.#random.of(["a", "b", "c"]) : this.#random.of(names);
  }

  #raw(): Raw {
    return new Uint8Array(Buffer.from(this.#random.of(texts)));
  }

  #ref(): Ref {
    return { node: this.#name(), epoch: this.number(), seq: this.#random.below(4) };
  }

  #maybe<T>(make: () => T): T | undefined {
    return this.#random.chance(0.4) ? make() : undefined;
  }

  #many<T>(make: () => T): readonly T[] {
    return Array.from({ length: this.#random.below(4) }, make);
  }

  #case(): CaseSpec {
    const chan = this.#random.chance(0.1) ? null : this.#name();
    const notBefore = this.#random.chance(0.2) ? { notBeforeMs: this.number() } : {};
    switch (this.#random.below(6)) {
      case 0:
      case 1:
        return { op: "recv", chan, ...notBefore };
      case 2:
      case 3:
        return { op: "send", chan, ...(this.#random.chance(0.5) ? { data: this.#raw() } : {}), ...notBefore };
      case 4:
        return this.#random.chance(0.5)
          ? { op: "time", form: { kind: "after", afterMs: this.number() } }
          : { op: "time", form: { kind: "at" }, deadlineMs: this.number() };
      default:
        return { op: "default" };
    }
  }

  #select(): SelectSpec {
    return {
      id: this.#random.of(["1", "2", "3", ""]),
      cases: this.#many(() => this.#case()),
      choice: this.#random.of(["random", "order"]),
      ...(this.#random.chance(0.05) ? { carriesResult: true } : {}),
    };
  }

  #extras(): Extras {
    return clean({
      hold: this.#maybe(() => this.#random.chance(0.5)),
      strict: this.#maybe(() => this.#random.chance(0.5)),
      cancel: this.#maybe(() => this.#many(() => this.#random.of(["1", "2", "9"]))),
      make: this.#maybe(() => this.#many(() => ({ chan: this.#name(), buffer: this.number() }))),
      close: this.#maybe(() => this.#many(() => ({ chan: this.#name(), value: this.#raw() }))),
      spawn: this.#maybe(() =>
        this.#many(() => ({ id: this.#name(), data: this.#raw(), selects: this.#many(() => this.#select()) })),
      ),
    });
  }

  #head() {
    return clean({
      id: this.#name(),
      requestId: this.#maybe(() => this.#name()),
      ifVersion: this.#random.chance(0.1) ? this.number() : undefined,
    });
  }

  #lock() {
    return clean({ lock: this.#random.chance(0.8) ? this.#random.any(this.#tokens) : this.#maybe(() => this.#name()) });
  }

  #wait() {
    return clean({ wait: this.#maybe(() => ({ ref: this.#ref(), leaseMs: this.number() })) });
  }

  command(): Command {
    const random = this.#random;
    const digest = this.#name();
    const chan = this.#name();
    switch (random.below(16)) {
      case 0:
      case 1:
      case 2: {
        const selects = this.#many(() => this.#select());
        return { kind: "put", ...this.#head(), ...this.#lock(), digest, selects, ...this.#extras(), ...this.#wait() };
      }
      case 3: {
        const data = random.of([null, this.#raw()]);
        const add = this.#many(() => this.#select());
        return {
          kind: "patch",
          ...this.#head(),
          ...this.#lock(),
          digest,
          data,
          add,
          ...this.#extras(),
          ...this.#wait(),
        };
      }
      case 4:
        return { kind: "delete", ...this.#head(), ...this.#lock(), ...clean({ force: this.#maybe(() => true) }) };
      case 5:
        return { kind: "lock", ...this.#head(), ...this.#lock(), forMs: this.number(), details: this.#raw() };
      case 6:
        return { kind: "unlock", ...this.#head(), ...this.#lock(), delayMs: this.number() };
      case 7:
        return random.chance(0.5)
          ? { kind: "pause", ...this.#head(), reason: this.#name() }
          : { kind: "resume", ...this.#head() };
      case 8:
        return { kind: "make", chan, buffer: this.number() };
      case 9:
        return random.chance(0.5) ? { kind: "close", chan, value: this.#raw() } : { kind: "drop", chan };
      case 10:
      case 11: {
        const cases = this.#many(() => this.#case());
        const wait = clean({ wait: this.#maybe(() => ({ ref: this.#ref() })) });
        return { kind: "select", route: this.#name(), cases, choice: "random", ...wait };
      }
      case 12: {
        const rest = { max: this.number(), leaseMs: this.number(), park: random.chance(0.5), ref: this.#ref() };
        return { kind: "demand", for: random.of(["poll", "callback"]), prefix: this.#name(), ...rest };
      }
      case 13:
        return random.chance(0.5)
          ? { kind: "withdraw", refs: this.#many(() => this.#ref()) }
          : { kind: "forget", node: this.#name(), epoch: this.number() };
      case 14:
        return { kind: "expire", keys: [...this.#many(() => random.any(this.#keys) ?? ""), this.#name(), "t\0", "m"] };
      default: {
        const rest = { error: this.#name(), delayMs: this.number(), pause: random.chance(0.3) };
        return { kind: "callbackFailed", id: this.#name(), lock: random.any(this.#tokens) ?? "", ...rest };
      }
    }
  }
}

/** Members that are undefined do not exist in a command. */
function clean<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as { [K in keyof T]: Exclude<T[K], undefined> };
}

/** @returns the command as it comes out of the log */
function throughLog(command: Command, nowMs: number) {
  const bytes = encodeEntry({ node: "n1", epoch: 1, seq: 1 }, command);
  stampEntry(bytes, nowMs);
  return decodeEntry(bytes);
}

test(`${runs} runs of garbage never throw`, { timeout: 3_600_000 }, () => {
  for (let seed = 1; seed <= runs; seed += 1) {
    const fuzz = new Fuzz(seed);
    const views = [new MapView(), new MapView()] as const;
    const machines = views.map((view) => new Machine(view));
    let nowMs = 1_700_000_000_000;
    for (let index = 1; index <= commandsPerRun; index += 1) {
      const begin: Command = { kind: "configure", seed: new Uint8Array(16), settings };
      const command = index === 1 ? begin : fuzz.command();
      if (index % 10 === 0) nowMs += index % 20 === 0 ? 100_000 : -5;
      const apply = (machine: Machine) => machine.apply({ index, ...throughLog(command, nowMs) });
      const run = () => machines.map(apply);
      expect(run, `SELECT_FUZZ seed ${seed}, entry ${index}: ${JSON.stringify(command)}`).not.toThrow();
      if (index % 20 === 0) fuzz.learn(views[0]);
    }
    expect(isDeepStrictEqual(views[0].entries(), views[1].entries()), `seed ${seed}: records differ`).toBe(true);
  }
});
