import { describe, expect, test } from "vitest";
import { decodeConfiguration, encodeConfiguration } from "../../raft/configuration.js";
import { appendEntries, configurationOf } from "./messages.js";
import { TestNode } from "./node.js";

describe("the bytes of a configuration", () => {
  test("are read strictly", () => {
    const configuration = configurationOf(["n1", "n2"], ["n3"], ["n4"]);
    expect(decodeConfiguration(encodeConfiguration(configuration))).toEqual(configuration);
    const member = { id: "a", voter: true, peer: "p", api: "a" };
    const wrong: unknown[] = [
      ...[null, 1, "x", [], {}, { members: [member] }, { removed: [] }, { members: {}, removed: [] }],
      { members: [], removed: [] },
      { members: [{ ...member, voter: false }], removed: [] },
      { members: [{ ...member, voter: 1 }], removed: [] },
      { members: [{ ...member, id: "" }], removed: [] },
      { members: [{ ...member, peer: 7 }], removed: [] },
      { members: [member, member], removed: [] },
      { members: [member], removed: ["a"] },
      { members: [member], removed: ["b", "b"] },
      { members: [member], removed: [1] },
      { members: [null], removed: [] },
    ];
    const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    for (const value of wrong) expect([value, decodeConfiguration(bytes(value))]).toEqual([value, undefined]);
    expect(decodeConfiguration(new Uint8Array([0xff, 0xfe]))).toBeUndefined();
    expect(decodeConfiguration(new Uint8Array())).toBeUndefined();
  });

  test("in an entry that hold none are refused, and harm nobody", () => {
    const node = new TestNode();
    const entries = [{ index: 1, term: 1, kind: "configuration" as const, data: new Uint8Array([1]) }];
    expect(node.step({ ...appendEntries(1, [0, 0], []), entries })).toEqual([]);
    expect([node.terms, node.raft.protocolErrors]).toEqual([[], 1]);
  });
});
