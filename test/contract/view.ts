/**
 * What every view of the records must do for the engine.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { View } from "../../src/select/view.js";

export interface ViewUnderTest {
  readonly view: View;
  /** Called at random moments between entries: whatever happens below must not show above. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

const values: readonly unknown[] = [
  { id: "a", list: [1, 2.5, -3, "ü\u{1f600}"], nested: { none: null, yes: true }, big: 2 ** 53 - 1 },
  Buffer.from([0, 255, 10]),
  "text",
  "",
  0,
  [],
];

export function viewContract(name: string, open: () => Promise<ViewUnderTest>): void {
  describe(`view contract: ${name}`, () => {
    let subject: ViewUnderTest;
    beforeEach(async () => {
      subject = await open();
    });
    afterEach(() => subject.close());

    test.each(values)("gives back %j, before and after it settles", async (value) => {
      subject.view.put("s\0k", value);
      expect(subject.view.get("s\0k")).toEqual(value);
      await subject.settle();
      expect(subject.view.get("s\0k")).toEqual(value);
    });

    test("a missing record is undefined", async () => {
      expect(subject.view.get("s\0nobody")).toBeUndefined();
      await subject.settle();
      expect(subject.view.get("s\0nobody")).toBeUndefined();
    });

    test("the last write counts, deletions included, wherever the one before it is", async () => {
      const { view } = subject;
      const expected = new Map<string, number>();
      for (let step = 1; step <= 300; step++) {
        const key = `s\0${(step * 7919) % 23}`;
        if (step % 3 === 0) {
          view.del(key);
          expected.delete(key);
        } else {
          view.put(key, step);
          expected.set(key, step);
        }
        if (step % 17 === 0) await subject.settle();
        for (let n = 0; n < 23; n++) expect(view.get(`s\0${n}`)).toBe(expected.get(`s\0${n}`));
      }
    });
  });
}
