/**
 * The prime sieve as Go's authors wrote it, over three languages: bash sends the numbers, filters in TypeScript and Python by
 * turns let through what their prime does not divide. They meet on channels and know nothing of each other.
 *
 * Needs bash, curl and python3. Each channel hands over one number at a time: the slowest sets the pace, nothing piles up.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Client } from "slct/client";
import { process as durable } from "slct/sdk";

interface Filter {
  readonly sieve: string;
  readonly k: number;
}

interface Found {
  readonly prime: number;
  readonly by: string;
}

export const filter = durable("sieve-filter", { version: 1 }, async (p, { sieve, k }: Filter) => {
  const next = `${sieve}-${k + 1}`;
  await p.loop<number | null>(null, async (prime, p) => {
    const received = await p.select({ number: p.recv<number>(`${sieve}-${k}`) });
    if (!received.ok) return p.done();
    const number = received.value;
    if (prime === null) await p.send<Found>(`${sieve}-primes`, { prime: number, by: "TypeScript" });
    else if (number % prime !== 0) await p.send(next, number);
    return prime ?? number;
  });
  p.close(next);
});

export const processes = [filter];

/** Of the numbers; there is a filter for each prime up to it. */
const largest = 30;
const primes = 10;

export async function* demo(client: Client, endpoints: readonly string[]): AsyncGenerator<string> {
  const sieve = `sieve-${crypto.randomUUID().slice(0, 8)}`;
  const base = endpoints[0] ?? "";
  const programs = [program("bash", "sieve.sh", base, sieve, String(largest))];
  for (let k = 0; k < primes; k++) {
    if (k % 2 === 0) await client.start(filter, { sieve, k });
    else programs.push(program("python3", "sieve.py", base, sieve, String(k)));
  }
  for (let n = 0; n < primes; n++) {
    const found = await client.recv<Found>(`${sieve}-primes`, { wait: "1m" });
    if (found.ok) yield `${found.value.prime} by ${found.value.by}`;
  }
  await Promise.all(programs);
}

/** Runs a program beside this one, from its source. Resolves when it has ended well. */
function program(command: string, name: string, ...given: readonly string[]): Promise<void> {
  const here = fileURLToPath(import.meta.url).replace(/([/\\])dist\1examples\1/, "$1examples$1");
  const path = here.replace(/sieve\.[jt]s$/, name);
  return new Promise((resolve, reject) => {
    const child = spawn(command, [path, ...given], { stdio: ["ignore", "inherit", "inherit"] });
    child.once("error", reject);
    child.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`${name} has ended with ${code ?? "a signal"}`)),
    );
  });
}
