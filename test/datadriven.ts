/**
 * Runs behaviour transcripts: a `.txt` file of blocks, each some command lines, `----`, and the output they must give.
 *
 * The interpreter of the commands is the caller's; this file knows only blocks. `REWRITE=1` writes the actual output
 * back, to be reviewed as code. Idea and format: datadriven tests of etcd's raft.
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const separator = "----";

/** One command block of a transcript; `line` counts from 1 and points at the first command line. */
export interface Block {
  readonly line: number;
  readonly commands: readonly string[];
  readonly expected: readonly string[];
}

/** A transcript in order: blocks, and the comment and blank lines between them, kept for rewriting. */
export type Part = { readonly kind: "text"; readonly line: string } | ({ readonly kind: "block" } & Block);

/** @returns names of the `.txt` files in `folder`, sorted */
export function listTranscripts(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".txt"))
    .sort();
}

/** @throws Error on a block without its `----` */
export function parseTranscript(text: string): readonly Part[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const parts: Part[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    if (line.trim() === "" || line.startsWith("#")) {
      parts.push({ kind: "text", line });
      at += 1;
      continue;
    }
    const rule = lines.indexOf(separator, at);
    const blank = lines.findIndex((other, index) => index > at && other.trim() === "");
    if (rule < 0 || (blank >= 0 && blank < rule)) throw new Error(`line ${at + 1}: "${line}" has no ${separator}`);
    const end = blank < 0 ? lines.length : blank;
    parts.push({
      kind: "block",
      line: at + 1,
      commands: lines.slice(at, rule).filter((command) => !command.startsWith("#")),
      expected: lines.slice(rule + 1, end),
    });
    at = end;
  }
  return parts;
}

/** An indented line continues the command above it. */
function joinContinuations(lines: readonly string[]): readonly string[] {
  const commands: string[] = [];
  for (const line of lines) {
    if (/^\s/.test(line) && commands.length > 0) commands.push(`${commands.pop()}\n${line.trim()}`);
    else commands.push(line);
  }
  return commands;
}

function describeDifference(name: string, block: Block, actual: readonly string[]): string {
  const common = actual.filter((line) => block.expected.includes(line));
  const marked = [
    ...block.expected.map((line) => `${common.includes(line) ? "  " : "- "}${line}`),
    ...actual.filter((line) => !common.includes(line)).map((line) => `+ ${line}`),
  ];
  const reordered = block.expected.length === actual.length && marked.every((line) => line.startsWith("  "));
  return [
    `${name}:${block.line}`,
    ...block.commands.map((command) => `> ${command}`),
    ...(reordered ? ["(same lines, other order)", ...actual.map((line) => `+ ${line}`)] : marked),
  ].join("\n");
}

/** How {@link runTranscript} came out: `rewritten` is the text with the actual output, `problems` what differed. */
export interface TranscriptRun {
  readonly rewritten: string;
  readonly problems: readonly string[];
}

/**
 * Feeds every command of `text` to `run`, in order; one interpreter sees the whole file.
 *
 * @param run takes one command (continuation lines joined by `\n`) and returns its output without a final line break
 */
export function runTranscript(name: string, text: string, run: (command: string) => string): TranscriptRun {
  const problems: string[] = [];
  const lines: string[] = [];
  const source = text.split("\n");
  for (const part of parseTranscript(text)) {
    if (part.kind === "text") {
      lines.push(part.line);
      continue;
    }
    const actual = joinContinuations(part.commands)
      .map(run)
      .filter((output) => output !== "")
      .flatMap((output) => output.split("\n"));
    const rule = source.indexOf(separator, part.line - 1);
    lines.push(...source.slice(part.line - 1, rule + 1), ...actual);
    if (actual.join("\n") !== part.expected.join("\n")) problems.push(describeDifference(name, part, actual));
  }
  return { rewritten: `${lines.join("\n")}\n`, problems };
}

/**
 * Checks one transcript file, or regenerates it when `REWRITE=1`.
 *
 * @throws Error with every differing block when the output is not the expected one
 */
export function checkTranscript(folder: string, name: string, run: (command: string) => string): void {
  const path = join(folder, name);
  const { rewritten, problems } = runTranscript(name, readFileSync(path, "utf8"), run);
  if (process.env["REWRITE"] === "1") writeFileSync(path, rewritten);
  else if (problems.length > 0) throw new Error(`output differs (- expected, + actual)\n\n${problems.join("\n\n")}`);
}
