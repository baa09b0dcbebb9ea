import { Duplex } from "node:stream";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { callsMax, Line, type Answers } from "../../ingress/line.js";
import { MessageReader } from "../../ingress/message-reader.js";
import { SlctError } from "../../src/errors.js";
import { socketPair } from "./loop.js";

type Echo = {
  echo: (value: unknown) => unknown;
  fail: (how: string) => void;
  /** Until it is let go. */
  hold: () => string;
};
type None = Record<never, never>;

const queuedBytesMax = 200_000;
const held = new Set<AbortSignal>();
const answers: Answers<Echo> = {
  echo: (_, value) => Promise.resolve(value),
  fail: (_, how) =>
    Promise.reject(
      how === "refused" ? new SlctError("busy", "not now", { By: Buffer.from("x"), Version: 3 }) : new RangeError(how),
    ),
  hold: ({ signal }) =>
    new Promise((resolve) => {
      held.add(signal);
      signal.addEventListener("abort", () => resolve("let go"), { once: true });
    }),
};

const open: Line<never, never>[] = [];
afterEach(() => {
  for (const line of open.splice(0)) line.close();
  held.clear();
});

function lineOver(stream: Duplex, onClose: () => void = () => undefined): Line<Echo, None> {
  const line = new Line<Echo, None>(stream, { answers: {}, holdsBack: false, queuedBytesMax, onClose });
  open.push(line as unknown as Line<never, never>);
  return line;
}

function answererOver(stream: Duplex, onClose: () => void = () => undefined): Line<None, Echo> {
  const line = new Line<None, Echo>(stream, { answers, holdsBack: true, queuedBytesMax, onClose });
  open.push(line as unknown as Line<never, never>);
  return line;
}

async function pair(): Promise<{ asking: Line<Echo, None>; answering: Line<None, Echo> }> {
  const [one, other] = await socketPair();
  return { asking: lineOver(one), answering: answererOver(other) };
}

/** Takes nothing: what is written stays on its way out. */
class Stuck extends Duplex {
  readonly writes: number[] = [];
  override _read(): void {
    return;
  }
  override _writev(chunks: { chunk: Buffer }[]): void {
    this.writes.push(chunks.length);
  }
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
}

test("messages come out as they went in, however the stream is cut", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), sizes, (sent, cuts) => {
      const stream = Buffer.concat(sent.flatMap((one) => [lengthOf(one), one]));
      const reader = new MessageReader();
      const come: Buffer[] = [];
      for (let at = 0, n = 0; at < stream.length; n++) {
        const end = at + (cuts[n % cuts.length] ?? 1);
        come.push(...reader.read(stream.subarray(at, end)));
        at = end;
      }
      expect(come).toEqual(sent.map((one) => Buffer.from(one)));
    }),
  );
});

function lengthOf(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return length;
}

describe("a call", () => {
  test("is answered with what the other side says, bytes as bytes", async () => {
    const { asking, answering } = await pair();
    const value = { text: "é", bytes: Buffer.from([0, 255]), list: [1.5, null, true], big: 2 ** 45 };
    expect(await asking.call("echo", [value])).toEqual(value);
    const large = Buffer.alloc(5_000_000, 7);
    const [before, echo] = await Promise.all(["before", large].map((one) => asking.call("echo", [one])));
    expect([before, large.equals(echo as Buffer)]).toEqual(["before", true]);
    expect([asking.underWay, answering.underWay]).toEqual([0, 0]);
  });

  test("throws what the other side throws", async () => {
    const { asking } = await pair();
    const refused: unknown = await asking.call("fail", ["refused"]).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SlctError);
    expect(refused).toMatchObject({ code: "busy", message: "not now", details: { By: Buffer.from("x"), Version: 3 } });
    const broken = (await asking.call("fail", ["a bug"]).catch((error: unknown) => error)) as Error;
    expect(broken).not.toBeInstanceOf(SlctError);
    expect([broken.message, broken.stack]).toEqual(["a bug", expect.stringContaining("RangeError: a bug\n    at ")]);
  });

  test("that is let go is told so, and still answered", async () => {
    const { asking } = await pair();
    const [one, other] = [new AbortController(), new AbortController()];
    const answered = asking.call("hold", [], one.signal);
    const early = asking.call("hold", [], AbortSignal.abort());
    const waiting = asking.call("hold", [], other.signal);
    one.abort();
    expect(await Promise.all([answered, early])).toEqual(["let go", "let go"]);
    other.abort();
    expect(await waiting).toBe("let go");
  });
});

test("what is said in one turn leaves in one write", async () => {
  const stream = new Stuck();
  const asking = lineOver(stream);
  for (let n = 0; n < 100; n++) asking.call("echo", [n]).catch(() => undefined);
  expect(stream.writes).toEqual([]);
  await until(() => stream.writes.length > 0);
  expect(stream.writes).toEqual([200]);
});

describe("bounds", () => {
  test("of calls under way: those beyond are refused", async () => {
    const asking = lineOver(new Stuck());
    for (let n = 0; n < callsMax; n++) asking.call("echo", [n]).catch(() => undefined);
    await expect(asking.call("echo", [0])).rejects.toMatchObject({ code: "overloaded" });
  });

  test("of bytes on their way out: calls beyond are refused", async () => {
    const asking = lineOver(new Stuck());
    const bytes = Buffer.alloc(queuedBytesMax);
    for (let n = 0; n < 2; n++) asking.call("echo", [bytes]).catch(() => undefined);
    await expect(asking.call("echo", [0])).rejects.toMatchObject({ code: "overloaded" });
  });

  test("of answers that nobody takes: no more calls are read until they are gone", async () => {
    const [one, other] = await socketPair();
    const asking = lineOver(one);
    answererOver(other);
    one.pause();
    const bytes = Buffer.alloc(50_000);
    const echoes: Promise<unknown>[] = [];
    // Sockets hold some of it too.
    while (!other.isPaused()) {
      echoes.push(asking.call("echo", [bytes]));
      await until(() => one.writableLength === 0 || other.isPaused());
    }
    // What came in one read with the last call.
    expect(other.writableLength).toBeLessThan(queuedBytesMax + 2 * 65_536 + bytes.length);
    one.resume();
    for (const echo of await Promise.all(echoes)) expect(bytes.equals(echo as Buffer)).toBe(true);
    expect(other.isPaused()).toBe(false);
  });
});

describe("the end", () => {
  test("of the asking side lets go of its calls", async () => {
    const { asking, answering } = await pair();
    const call = asking.call("hold", []).catch((error: unknown) => error);
    await until(() => held.size === 1);
    asking.close();
    expect(await call).toMatchObject({ code: "timeout" });
    await until(() => [...held].every(({ aborted }) => aborted));
    expect(answering.underWay).toBe(0);
  });

  test("of the answering side ends the calls that wait, with an outcome that is unknown, and later ones", async () => {
    const [one, other] = await socketPair();
    const ends: string[] = [];
    const asking = lineOver(one, () => ends.push("asking"));
    const answering = answererOver(other, () => ends.push("answering"));
    const call = asking.call("hold", []).catch((error: unknown) => error);
    await until(() => held.size === 1);
    answering.close();
    expect(await call).toMatchObject({ code: "timeout" });
    await expect(asking.call("echo", [1])).rejects.toMatchObject({ code: "timeout" });
    answering.close();
    asking.close();
    expect(ends).toEqual(["answering", "asking"]);
  });
});
