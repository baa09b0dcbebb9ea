/**
 * Watches process code for what a replay would not repeat: clocks, chance, timers and network outside of a step.
 *
 * While a turn runs, these globals are stand-ins that look where they are called from. Libraries (`node_modules`) may:
 * a logger that reads the clock does no harm. Boundary: in a turn nothing but process code runs, see turn.ts.
 */
import { SlctError } from "../client/errors.js";

export interface Guard {
  /** `warn` calls {@link report} once per place; `throw` fails the process. */
  readonly mode: "warn" | "throw";
  readonly report: (message: string) => void;
}

interface Watched {
  readonly owner: object;
  readonly name: string;
  readonly call: string;
  readonly instead: string;
}

const watched: readonly Watched[] = [
  { owner: Math, name: "random", call: "Math.random()", instead: "p.random()" },
  { owner: Date, name: "now", call: "Date.now()", instead: "p.now()" },
  { owner: globalThis, name: "setTimeout", call: "setTimeout()", instead: "p.sleep()" },
  { owner: globalThis, name: "setInterval", call: "setInterval()", instead: "p.loop() with p.sleep()" },
  { owner: globalThis, name: "fetch", call: "fetch()", instead: "p.step()" },
  { owner: crypto, name: "randomUUID", call: "crypto.randomUUID()", instead: "p.uuid()" },
  { owner: crypto, name: "getRandomValues", call: "crypto.getRandomValues()", instead: "p.random()" },
  { owner: performance, name: "now", call: "performance.now()", instead: "p.now()" },
];

/** Places that were reported; beyond this many, no more are. */
const placesMax = 1000;
const places = new Set<string>();
let active: Guard | undefined;
let undo: (() => void)[] = [];

export function enter(guard: Guard): void {
  active = guard;
  undo = watched.map(standIn);
  undo.push(standInForDate());
}

export function leave(): void {
  for (const one of undo.reverse()) one();
  undo = [];
  active = undefined;
}

/** Puts a function in the place of another that speaks up first. Returns how to undo it. */
function standIn({ owner, name, call, instead }: Watched): () => void {
  const object = owner as Record<string, (...args: unknown[]) => unknown>;
  const own = Object.getOwnPropertyDescriptor(object, name);
  const real = object[name];
  if (real === undefined) return () => undefined;
  const value = function (this: unknown, ...args: unknown[]): unknown {
    speak(call, instead);
    return real.apply(this, args);
  };
  Object.defineProperty(object, name, { value, configurable: true, writable: true });
  return () => {
    if (own) Object.defineProperty(object, name, own);
    else delete object[name];
  };
}

/** `new Date()` reads the clock, `new Date(ms)` does not. */
function standInForDate(): () => void {
  const real = globalThis.Date;
  globalThis.Date = new Proxy(real, {
    construct(target, args: [], newTarget) {
      if (args.length === 0) speak("new Date()", "new Date(p.now())");
      return Reflect.construct(target, args, newTarget) as object;
    },
  });
  return () => {
    globalThis.Date = real;
  };
}

function speak(call: string, instead: string): void {
  const guard = active;
  if (guard === undefined) return;
  const place = callerOf(new Error().stack ?? "");
  if (place === undefined) return;
  const message = `${call} in the code of a process gives another value at every replay: use ${instead} (${place})`;
  if (guard.mode === "throw") throw new SlctError("not_durable", message);
  if (places.has(message) || places.size >= placesMax) return;
  places.add(message);
  guard.report(message);
}

/** The line that called the stand-in, if it is the user's own. */
function callerOf(stack: string): string | undefined {
  const frame = framesOf(stack)[2];
  if (frame === undefined || /node_modules|node:|\(native|<anonymous>/.test(frame)) return undefined;
  return shorten(frame);
}

/** Where the operation was made that an `await` sets off: then the stack has nothing of the code that awaits. */
let origin: Error | undefined;

export function from<T>(made: Error, run: () => T): T {
  const before = origin;
  origin = made;
  try {
    return run();
  } finally {
    origin = before;
  }
}

/** Its stack leads to the code that asks. */
export function here(): Error {
  return origin ?? new Error();
}

/** Where user code called into this SDK: the first frame of `stack` that is not in it. */
export function placeOf(stack: string | undefined): string {
  const frame = framesOf(stack ?? "").find((one) => !one.includes(ownPath) && !/node_modules|node:/.test(one));
  return frame === undefined ? "an unknown place" : shorten(frame);
}

/** Of this SDK: `…/sdk/`. */
const ownPath = new URL("..", import.meta.url).pathname;

function framesOf(stack: string): string[] {
  return stack.split("\n").filter((line) => /^\s*at |@/.test(line));
}

/** `at run (file:///home/me/order.ts:41:7)` → `order.ts:41`. */
function shorten(frame: string): string {
  const [, file = frame.trim(), line = ""] = /([^/\\(\s]+):(\d+):\d+\)?\s*$/.exec(frame) ?? [];
  return line === "" ? file : `${file}:${line}`;
}
