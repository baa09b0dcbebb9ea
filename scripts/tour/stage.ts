/**
 * What every act of the tour needs: headings, real curl calls shown as one would type them, and expectations.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Json } from "../../api/contract.js";

const run = promisify(execFile);
const shownMax = 400;
const callSeconds = 70;

export interface Reply {
  readonly status: number;
  /** Parsed JSON. */
  readonly body: Json;
}

export function heading(text: string): void {
  process.stdout.write(`\n== ${text}\n`);
}

export function note(text: string): void {
  process.stdout.write(`   ${text}\n`);
}

/** @throws Error when it does not hold: the tour ends there */
export function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`expected: ${what}`);
  process.stdout.write(`   ✓ ${what}\n`);
}

/** Runs curl, printed first as a line for a shell. `body` goes as JSON. */
export async function curl(method: string, url: string, body?: Json): Promise<Reply> {
  const verb = method === "GET" ? [] : ["-X", method];
  const content = body === undefined ? [] : ["-H", "content-type: application/json", "-d", JSON.stringify(body)];
  const line = ["curl", ...verb, url, ...content];
  process.stdout.write(`\n   $ ${line.map(quoted).join(" ")}\n`);
  const options = ["-sS", "--max-time", String(callSeconds), "-w", "\n%{http_code}"];
  const { stdout } = await run("curl", [...options, ...line.slice(1)]);
  const cut = stdout.lastIndexOf("\n");
  const text = stdout.slice(0, cut);
  const status = Number(stdout.slice(cut + 1));
  process.stdout.write(`   ${status} ${text.length > shownMax ? `${text.slice(0, shownMax)}…` : text}\n`);
  return { status, body: JSON.parse(text) as Json };
}

/** The value at a path of keys and positions; undefined where there is none. */
export function at(json: Json | undefined, ...path: readonly (string | number)[]): Json | undefined {
  let value: unknown = json;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value as Json | undefined;
}

function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
