/**
 * Pages that are followed by a test: their console blocks, the files that they give, and one shell for all of it.
 */
import { spawn } from "node:child_process";
import { onTestFinished } from "vitest";

const marker = "\u0001";

/** What a page asks of its reader, in order: a line behind `$ `, or a block of TypeScript whose first line is `// name.ts`. */
export type Task = { readonly command: string } | { readonly file: string; readonly text: string };

export function tasksOf(page: string): Task[] {
  const found = page.matchAll(/^\$ (.*)$|^```ts\n(\/\/ (\S+\.ts)\n[^]*?)^```$/gm);
  return [...found].map(([, command, text = "", file = ""]) => (command === undefined ? { file, text } : { command }));
}

/** The page with what its commands printed. */
export function withOutputs(page: string, outputs: readonly string[]): string {
  let n = 0;
  return page.replace(/```console\n([^]*?)```/g, (_, block: string) => {
    const lines = block.split("\n").filter((line) => line.startsWith("$ "));
    return `\`\`\`console\n${lines.map((line) => `${line}\n${outputs[n++] ?? ""}`).join("")}\`\`\``;
  });
}

/**
 * Output of each command, run by one bash in `cwd` so that variables and background jobs carry over. Nothing of it outlives
 * the test.
 */
export async function runAll(
  commands: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string[]> {
  // What still runs in the background would outlive its data, or a test that takes too long.
  const end = "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT";
  const script = [end, ...commands.map((command) => `${command}\necho; echo '${marker}'`)].join("\n");
  const shell = spawn("bash", ["-c", script], { cwd, env, stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void shell.kill());
  let printed = "";
  for await (const chunk of shell.stdout) printed += String(chunk);
  return printed.split(`${marker}\n`).map((output) => (output.trim() === "" ? "" : `${output.trim()}\n`));
}

/** Pages speak of the ports of `npm start`. */
export function atPort(text: string, first: number): string {
  return text.replace(/:808([123])\b/g, (_, node: string) => `:${first + Number(node) - 1}`);
}

/** Times, locks and indexes differ from run to run. */
export function mask(text: string): string {
  return text
    .replace(/"(Lock)":"[^"]*"/g, '"$1":"…"')
    .replace(/"(LockUntil|CreatedAt|UpdatedAt|At|Index)":\d+/g, '"$1":0');
}
