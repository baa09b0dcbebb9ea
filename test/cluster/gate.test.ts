import { expect, it } from "vitest";
import { Gate } from "../../cluster/gate.js";

/** Uses of a gate, each until it is ended; `inside` says which have it now. */
function open() {
  const gate = new Gate();
  const inside: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const use = (name: string) => () =>
    new Promise<void>((resolve, reject) => {
      inside.push(name);
      ends.set(name, (error) => {
        inside.splice(inside.indexOf(name), 1);
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  const end = async (name: string, error?: Error) => {
    ends.get(name)?.(error);
    await new Promise(setImmediate);
  };
  return { gate, inside, use, end };
}

it("is shared, or had alone, in the order in which they came", async () => {
  const { gate, inside, use, end } = open();
  const all = [gate.share(use("a")), gate.share(use("b")), gate.alone(use("C")), gate.share(use("d"))];
  all.push(gate.share(use("e")), gate.alone(use("F")), gate.alone(use("G")));
  expect(inside).toEqual(["a", "b"]);
  await end("a");
  expect(inside).toEqual(["b"]);
  await end("b");
  expect(inside).toEqual(["C"]);
  await end("C");
  expect(inside).toEqual(["d", "e"]);
  await end("e");
  await end("d");
  expect(inside).toEqual(["F"]);
  await end("F");
  expect(inside).toEqual(["G"]);
  await end("G");
  await Promise.all(all);
  expect(inside).toEqual([]);
});

it("is left by whoever fails", async () => {
  const { gate, inside, use, end } = open();
  const failing = gate.alone(use("A"));
  const next = gate.share(use("b"));
  await Promise.all([expect(failing).rejects.toThrow("no"), end("A", new Error("no"))]);
  expect(inside).toEqual(["b"]);
  await end("b");
  await next;
});
