/**
 * The catalogue of scenarios as docs/scenarios.md has it, and the tests that prove its rows: their titles begin with IDs
 * of rows.
 */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

export interface Row {
  /** `B5`: the group and a number from 1. */
  readonly id: string;
  readonly title: string;
  /** Why no test is possible. */
  readonly notApplicable?: string;
}

export interface Group {
  readonly letter: string;
  readonly title: string;
  readonly rows: readonly Row[];
}

export interface Title {
  readonly id: string;
  /** From the root. */
  readonly file: string;
  readonly line: number;
  /** As written: placeholders are not filled in. */
  readonly title: string;
}

/** Tests there are named by rows of other documents (the security list, the semantics), or are about titles. */
const otherTitles = /^test\/(api\/|select\/|scenarios\/catalogue)/;

/** @param root folder of the project */
export function readCatalogue(root: string): readonly Group[] {
  const [, ...chapters] = readFileSync(join(root, "docs/scenarios.md"), "utf8").split(/^## /m);
  return chapters.map((chapter) => {
    const [, letter = "", title = ""] = /^([A-N]): (.+)$/m.exec(chapter) ?? [];
    return { letter, title, rows: [...chapter.matchAll(/^\| ([A-N]\d+) \| (.+) \|$/gm)].map(toRow) };
  });
}

function toRow([, id = "", cell = ""]: readonly string[]): Row {
  const [title = "", reason] = cell.split(" · not applicable: ");
  return { id, title, ...(reason !== undefined && { notApplicable: reason }) };
}

/** @returns IDs that a title begins with; none when there are no words after them */
export function idsOf(title: string): readonly string[] {
  const match = /^((?:[A-N][1-9]\d? )+)\S/.exec(title);
  return match?.[1]?.trimEnd().split(" ") ?? [];
}

/** Titles as they stand in the sources, whether in a call, a table of rows or a template; in the order of files and lines. */
export function findTitles(root: string): readonly Title[] {
  const files = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .map((path) => join("test", path))
    .filter((path) => path.endsWith(".test.ts") && !otherTitles.test(path))
    .sort();
  return files.flatMap((file) => {
    const lines = readFileSync(join(root, file), "utf8").split("\n");
    return lines.flatMap((text, at) =>
      [...text.matchAll(/(["`])([A-N][1-9]\d? .*?)(?:\1|$)/g)].flatMap(([, , title = ""]) =>
        idsOf(title).map((id) => ({ id, file, line: at + 1, title })),
      ),
    );
  });
}
