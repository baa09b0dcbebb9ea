import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quorumReached, quorumSize, voteResult } from "../../raft/quorum.js";

/** The definition: the largest index such that some majority has all reached it. */
function bruteForce(reached: readonly number[]): number {
  let best = 0;
  for (let subset = 0; subset < 1 << reached.length; subset += 1) {
    const members = reached.filter((_, at) => (subset & (1 << at)) !== 0);
    if (members.length * 2 > reached.length) best = Math.max(best, Math.min(...members));
  }
  return best;
}

describe("majorities", () => {
  test("the commit index is the best that any majority has reached, 1 to 9 voters", () => {
    const indexes = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(indexes, (reached) => quorumReached(reached) === bruteForce(reached)),
      { numRuns: 2000, seed: 1 },
    );
  });

  test("every combination of three indexes for 1 to 5 voters", () => {
    for (let voters = 1; voters <= 5; voters += 1) {
      for (let code = 0; code < 3 ** voters; code += 1) {
        const reached = Array.from({ length: voters }, (_, at) => Math.floor(code / 3 ** at) % 3);
        expect(quorumReached(reached)).toBe(bruteForce(reached));
      }
    }
  });

  test.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [9, 5],
  ])("%i voters decide by %i", (voters, quorum) => {
    expect(quorumSize(voters)).toBe(quorum);
  });

  test("a vote is won or lost as soon as no outstanding vote can change it", () => {
    for (let size = 1; size <= 5; size += 1) {
      const voters = Array.from({ length: size }, (_, at) => `n${at}`);
      for (let code = 0; code < 3 ** size; code += 1) {
        const votes = new Map<string, boolean>([["stranger", true]]);
        voters.forEach((id, at) => {
          const cast = Math.floor(code / 3 ** at) % 3;
          if (cast > 0) votes.set(id, cast === 1);
        });
        const yes = voters.filter((id) => votes.get(id) === true).length;
        const open = voters.filter((id) => !votes.has(id)).length;
        const expected = yes * 2 > size ? "won" : (yes + open) * 2 > size ? "pending" : "lost";
        expect(voteResult(voters, votes)).toBe(expected);
      }
    }
  });
});
