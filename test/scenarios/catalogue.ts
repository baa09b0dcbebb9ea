/**
 * Catalogues of rows as pages of docs have them, and the tests that prove the rows: their titles begin with IDs of rows.
 */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

export interface Catalogue {
  /** Page that is the catalogue, from the root. */
  readonly page: string;
  /** Of its groups, as in a class of a regular expression. */
  readonly letters: string;
  /** Whether the titles of a test file, given from the root, mean these rows. */
  readonly covers: (file: string) => boolean;
}

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

export const scenarios: Catalogue = {
  page: "docs/scenarios.md",
  letters: "A-N",
  // Tests there are named by rows of other documents (the security list, the semantics), or are about titles.
  covers: (file) => !/^test\/(api\/|select\/|sdk\/|scenarios\/catalogue)/.test(file),
};

export const sdkRows: Catalogue = {
  page: "docs/sdk/rows.md",
  letters: "RTPF",
  covers: (file) => /^test\/(sdk\/|e2e\/sdk)/.test(file),
};

/** @param root folder of the project */
export function readCatalogue(root: string, { page, letters }: Catalogue): readonly Group[] {
  const [, ...chapters] = readFileSync(join(root, page), "utf8").split(/^## /m);
  return chapters.map((chapter) => {
    const [, letter = "", title = ""] = new RegExp(`^([${letters}]): (.+)$`, "m").exec(chapter) ?? [];
    const rows = chapter.matchAll(new RegExp(`^\\| ([${letters}]\\d+) \\| (.+) \\|$`, "gm"));
    return { letter, title, rows: [...rows].map(toRow) };
  });
}

function toRow([, id = "", cell = ""]: readonly string[]): Row {
  const [title = "", reason] = cell.split(" · not applicable: ");
  return { id, title, ...(reason !== undefined && { notApplicable: reason }) };
}

/** @returns IDs that a title begins with; none when there are no words after them */
export function idsOf(title: string): readonly string[] {
  const match = /^((?:[A-Z][1-9]\d? )+)\S/.exec(title);
  return match?.[1]?.trimEnd().split(" ") ?? [];
}

/** Titles as they stand in the sources, whether in a call, a table of rows or a template; in the order of files and lines. */
export function findTitles(root: string, { letters, covers }: Catalogue): readonly Title[] {
  const isOwn = new RegExp(`^[${letters}]`);
  const files = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .map((path) => join("test", path))
    .filter((path) => path.endsWith(".test.ts") && covers(path))
    .sort();
  return files.flatMap((file) => {
    const lines = readFileSync(join(root, file), "utf8").split("\n");
    return lines.flatMap((text, at) =>
      [...text.matchAll(/(["`])([A-Z][1-9]\d? .*?)(?:\1|$)/g)].flatMap(([, , title = ""]) =>
        idsOf(title)
          .filter((id) => isOwn.test(id))
          .map((id) => ({ id, file, line: at + 1, title })),
      ),
    );
  });
}
