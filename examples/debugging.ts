/**
 * What a saved process has done and waits for: docs/sdk/debugging.md.
 */
import { readFile } from "node:fs/promises";
import type { StateOut } from "slct/client";
import { replay } from "slct/sdk";
import { order } from "./order.js";

export async function trace(file: string): Promise<string[]> {
  const { trace, mismatch, error } = await replay(order, JSON.parse(await readFile(file, "utf8")) as StateOut);
  const lines = trace.map(({ op, is, place, entry }) => `${op} ${is} (${place}): ${JSON.stringify(entry ?? "open")}`);
  if (mismatch)
    lines.push(`${mismatch.op}: "${mismatch.recorded}" by then, "${mismatch.asked}" now (${mismatch.place})`);
  return error === undefined ? lines : [...lines, error.message];
}
