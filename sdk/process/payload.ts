/**
 * How large a put-back is, and what makes it so: said early, since the service refuses what is too large.
 */
import type { Commit } from "./commit.js";

/** Above each of these a process is warned of, once. The service warns from 1 MiB and takes 4 MiB (docs/api/reference.md). */
const stepsBytes = [3, 2, 1, 0.5].map((mib) => mib * 1024 * 1024);
/** UTF-8 bytes of one UTF-16 unit, at most. */
const unitBytesMax = 3;
const encoder = new TextEncoder();

export function bytesOf(value: unknown): number {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return 0;
  // Counting takes a copy: only of what may be large enough to matter.
  return text.length * unitBytesMax < (stepsBytes.at(-1) as number) ? text.length : encoder.encode(text).length;
}

/** The largest step that `bytes` is beyond. */
export function sizeStep(bytes: number): number | undefined {
  return stepsBytes.find((step) => bytes >= step);
}

/** `612 KiB, most of it step "fetch" (operation 3) with 580 KiB` */
export function describeSize(bytes: number, commit: Commit): string {
  const [largest] = partsOf(commit)
    .map(([name, value]) => ({ name, bytes: bytesOf(value) }))
    .sort((a, b) => b.bytes - a.bytes);
  return largest === undefined ? kib(bytes) : `${kib(bytes)}, most of it ${largest.name} with ${kib(largest.bytes)}`;
}

function partsOf({ data, vars, add, effects }: Commit): [string, unknown][] {
  const parts: [string, unknown][] = [
    ["vars", vars],
    ...add.map((one): [string, unknown] => [`what ${one.ID} sends`, one]),
  ];
  for (const effect of effects) {
    if (effect.kind === "spawn") parts.push([`the input of ${effect.spawn.id}`, effect.spawn.data]);
    if (effect.kind === "close") parts.push([`the value that ${effect.close.Chan} is closed with`, effect.close]);
  }
  if ("result" in data) return [...parts, ["its result", data.result]];
  parts.push(["its input", data.input]);
  for (const entry of data.journal) parts.push([`${entry.is} (operation ${entry.op})`, entry]);
  for (const [op, frame] of Object.entries(data.loops ?? {})) parts.push([`the carry of loop ${op}`, frame]);
  for (const [op, retry] of Object.entries(data.retries ?? {})) parts.push([`${retry.is} (operation ${op})`, retry]);
  return parts;
}

function kib(bytes: number): string {
  return `${Math.ceil(bytes / 1024)} KiB`;
}
