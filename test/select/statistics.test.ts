/**
 * Where Go leaves the choice to chance, so does the engine: uniform over ready *cases*, within five sigma (semantics C.2).
 *
 * Everything is a function of seed and log, so these tests give the same numbers every time.
 */
import { describe, expect, test } from "vitest";
import type { State } from "../../src/select/types.js";
import { keys } from "../../src/select/keys.js";
import { Session } from "./session.js";

const draws = 2_000;

interface Experiment {
  readonly name: string;
  /** Commands before each draw; `$` is the number of the draw. */
  readonly prepare: readonly string[];
  /** The command that makes the draw, and the state whose first result tells how it went. */
  readonly draw: string;
  readonly reads: string;
  readonly cases: number;
}

const experiments: readonly Experiment[] = [
  {
    name: "M3: cap 2, half full: {send, recv}",
    prepare: ["make c$ 2", 'send c$ "old"'],
    draw: "put s$  send c$ 1 | recv c$",
    reads: "s$",
    cases: 2,
  },
  {
    name: "M4: {send, recv} on a closed channel (C.3 row 14)",
    prepare: ["close c$"],
    draw: "put s$  send c$ 1 | recv c$",
    reads: "s$",
    cases: 2,
  },
  {
    name: "M6: ready cases a, a, b: uniform over cases (C.3 rows 20 and 26)",
    prepare: ["close a$", "close b$"],
    draw: "put s$  recv a$ | recv a$ | recv b$",
    reads: "s$",
    cases: 3,
  },
  {
    name: "C.3 row 23: due time cases compete",
    prepare: ["close c$"],
    draw: "put s$  at -1s | recv c$ | after 0s | default",
    reads: "s$",
    cases: 3,
  },
];

function frequencies({ prepare, draw, reads, cases }: Experiment, seed: number): readonly number[] {
  const session = new Session({ checked: false });
  const counts = Array.from({ length: cases }, () => 0);
  session.run(`configure seed=${seed}`);
  for (let at = 0; at < draws; at += 1) {
    const numbered = (text: string) => text.replaceAll("$", String(at));
    for (const command of [...prepare, draw]) session.run(numbered(command));
    const state = session.view.get(keys.state(numbered(reads))) as State;
    const won = state.selects[0]?.result?.case ?? -1;
    counts[won] = (counts[won] ?? 0) + 1;
  }
  return counts;
}

function expectUniform(counts: readonly number[], cases: number): void {
  const share = 1 / cases;
  const sigma = Math.sqrt(draws * share * (1 - share));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(draws);
  expect(counts).toHaveLength(cases);
  for (const count of counts) expect(Math.abs(count - draws * share), counts.join(" : ")).toBeLessThan(5 * sigma);
}

describe("the choice is uniform over the entries of one log", () => {
  test.each(experiments)("$name", (experiment) => {
    expectUniform(frequencies(experiment, 1), experiment.cases);
  });
});

describe("the choice is uniform over seeds", () => {
  test("M6 at the same entry of as many clusters", () => {
    const counts = [0, 0, 0];
    for (let seed = 0; seed < draws; seed += 1) {
      const session = new Session({ checked: false });
      session.configure(Uint8Array.from({ length: 16 }, (_, at) => (seed >> (at % 4 === 0 ? 0 : 8)) & 0xff));
      for (const command of ["close a", "close b", "put s  recv a | recv a | recv b"]) session.run(command);
      const won = (session.view.get(keys.state("s")) as State).selects[0]?.result?.case ?? -1;
      counts[won] = (counts[won] ?? 0) + 1;
    }
    expectUniform(counts, 3);
  });

  test("an empty buffer of one leaves no choice (M3), nor does a default (M21)", () => {
    for (let seed = 0; seed < 100; seed += 1) {
      const session = new Session();
      session.run(`configure seed=${seed}`);
      session.run("make c 1");
      expect(session.run("put s  recv c | send c 1 | default")).toBe("s pending  1 send c");
    }
  });
});

describe("M2: two selects {send, recv} on one channel", () => {
  test("either is the sender", () => {
    const session = new Session({ checked: false });
    const counts = [0, 0];
    for (let at = 0; at < draws; at += 1) {
      session.run(`put p${at}  send c 1 | recv c`);
      session.run(`put q${at}  send c 2 | recv c`);
      const won = (session.view.get(keys.state(`q${at}`)) as State).selects[0]?.result?.case ?? -1;
      counts[won] = (counts[won] ?? 0) + 1;
    }
    expectUniform(counts, 2);
  });
});

describe("M20: parked duplicates", () => {
  test("leave by case position (C.3 row 1), one of the orders that Go allows", () => {
    for (let seed = 0; seed < 100; seed += 1) {
      const session = new Session();
      session.run(`configure seed=${seed}`);
      session.run("put s  send c 1 | send c 2");
      expect(session.run("recv c")).toBe("result 0 recv c 1\ns pending  0 send c");
      session.run("put r  recv d | recv d | recv d");
      expect(session.run("close d")).toBe("r pending  0 recv d closed\nd closed");
    }
  });
});
