/**
 * The API reference of the SDK, made from its types and docstrings: docs/sdk/reference.md and a page for each entry.
 *
 * A declaration is shown as it is written, and what it mentions follows on the same page, exported or not. The compiler
 * that we have reads the sources: generators of documentation bring packages for HTML, repeat what is inherited, and
 * leave out what is not exported.
 */
import { format } from "prettier";
import ts from "typescript";
import { declarationOf, definition, docstringOf, mentionedBy, sentenceOf, withoutLinks } from "./declaration.js";

interface Entry {
  readonly name: string;
  readonly file: string;
  readonly page: string;
}

/** What is defined: a name has one place, in the first entry that has it. */
interface Item {
  readonly name: string;
  readonly entry: Entry;
  readonly exported: boolean;
  readonly anchor: string;
  readonly symbol: ts.Symbol;
}

export interface Reference {
  /** Markdown by file name in docs/sdk. */
  readonly pages: ReadonlyMap<string, string>;
  /** Exports that no sentence explains. */
  readonly unexplained: readonly string[];
}

const entries: readonly Entry[] = ["client", "sdk", "testing"].map((name) => ({
  name: `slct/${name}`,
  file: `sdk/${name}.ts`,
  page: `reference-${name}.md`,
}));

const made = "Made by `npm run reference` from the docstrings in `sdk/`: change those.";
const indexHead = `Every name that the package exports, by entry point. What they are for, in order: [guide](guide.md). What goes wrong, limits
and promises: [errors and limits](errors-and-limits.md). ${made}`;

/** @param root directory of the project */
export async function makeReference(root: string): Promise<Reference> {
  const program = programOf(root);
  const checker = program.getTypeChecker();
  const lists = entries.map((entry) => {
    const source = program.getSourceFile(`${root}/${entry.file}`) as ts.SourceFile;
    return { entry, job: jobOf(source), exports: exportsOf(checker, source) };
  });
  const items = collect(checker, root, lists);
  const all = [...items.values()];

  const pages = new Map([["reference.md", indexPage(checker, lists, items)]]);
  for (const { entry, job } of lists) {
    const sections: { exported: string[]; further: string[] } = { exported: [], further: [] };
    for (const item of all.filter((one) => one.entry === entry))
      sections[item.exported ? "exported" : "further"].push(await sectionOf(checker, item, items));
    const head = [
      `# ${entry.name}`,
      "",
      job,
      "",
      `${made} All names: [reference](reference.md).`,
      "",
      "## Exports",
      "",
    ];
    const behind = sections.further.length === 0 ? [] : ["## Further types", "", "Mentioned above, not exported.", ""];
    pages.set(entry.page, [...head, ...sections.exported, ...behind, ...sections.further].join("\n"));
  }
  const unexplained = all.filter(({ exported, symbol }) => exported && sentenceOf(checker, symbol) === "");
  return { pages, unexplained: unexplained.map(({ entry, name }) => `${entry.name} ${name}`) };
}

interface List {
  readonly entry: Entry;
  /** What the entry is for. */
  readonly job: string;
  readonly exports: readonly (readonly [name: string, symbol: ts.Symbol])[];
}

function programOf(root: string): ts.Program {
  const { config } = ts.readConfigFile(`${root}/tsconfig.json`, (path) => ts.sys.readFile(path)) as { config: object };
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  const files = entries.map(({ file }) => `${root}/${file}`);
  return ts.createProgram(files, { ...options, composite: false, noEmit: true });
}

/** The first sentences of the file, without its name. */
function jobOf(source: ts.SourceFile): string {
  const [comment = ""] = /\/\*\*[\s\S]*?\*\//.exec(source.text) ?? [];
  const text = comment.replace(/^\s*(\/\*\*|\*\/|\*)/gm, "").replace(/^\s*`[^`]+`: /, "");
  const [first = "", ...rest] = text.trim().replace(/\s+/g, " ");
  return first.toUpperCase() + rest.join("");
}

function exportsOf(checker: ts.TypeChecker, source: ts.SourceFile): List["exports"] {
  const exports = checker.getExportsOfModule(checker.getSymbolAtLocation(source) as ts.Symbol);
  return exports.map((one) => [one.name, definition(checker, one) ?? one]);
}

function collect(checker: ts.TypeChecker, root: string, lists: readonly List[]): ReadonlyMap<ts.Symbol, Item> {
  const items = new Map<ts.Symbol, Item>();
  const anchors = new Map<string, number>();
  const add = (symbol: ts.Symbol, name: string, entry: Entry, exported: boolean) => {
    if (items.has(symbol)) return;
    // As markdown viewers number headings that are the same.
    const anchor = name.toLowerCase();
    const before = anchors.get(`${entry.page}#${anchor}`) ?? 0;
    anchors.set(`${entry.page}#${anchor}`, before + 1);
    items.set(symbol, { symbol, name, entry, exported, anchor: before === 0 ? anchor : `${anchor}-${before}` });
  };
  for (const { entry, exports } of lists) for (const [name, symbol] of exports) add(symbol, name, entry, true);
  // The loop goes on with what is added meanwhile.
  for (const { symbol, entry } of items.values()) {
    for (const one of mentionedBy(checker, symbol)) {
      const file = one.declarations?.[0]?.getSourceFile().fileName ?? "";
      if (file.startsWith(`${root}/sdk/`) || file.startsWith(`${root}/api/`)) add(one, one.name, entry, false);
    }
  }
  return items;
}

function indexPage(checker: ts.TypeChecker, lists: readonly List[], items: ReadonlyMap<ts.Symbol, Item>): string {
  const parts = lists.flatMap(({ entry, job, exports }) => [
    ...[`## ${entry.name}`, "", job, "", "| name | |", "|---|---|"],
    ...exports.map(([name, symbol]) => {
      const { entry: home, anchor } = items.get(symbol) as Item;
      return `| [\`${name}\`](${home.page}#${anchor}) | ${sentenceOf(checker, symbol)} |`;
    }),
    "",
  ]);
  return ["# API reference", "", indexHead, "", ...parts].join("\n");
}

/** Heading, docstring, declaration, and links to what it mentions. */
async function sectionOf(checker: ts.TypeChecker, item: Item, items: ReadonlyMap<ts.Symbol, Item>): Promise<string> {
  const { symbol, name, entry } = item;
  const declaration = await format(declarationOf(checker, symbol, name), { parser: "typescript", printWidth: 100 });
  const code = withoutLinks(declaration.replace(/^declare /gm, "").trim());
  const links = mentionedBy(checker, symbol).flatMap((one) => {
    const known = items.get(one);
    if (known === undefined || known === item) return [];
    return [`[${known.name}](${known.entry === entry ? "" : known.entry.page}#${known.anchor})`];
  });
  const doc = docstringOf(checker, symbol);
  const fence = code.includes("```") ? "````" : "```";
  return [
    ...[`### ${name}`, ""],
    ...(doc === "" ? [] : [doc, ""]),
    ...[`${fence}ts`, code, fence, ""],
    ...(links.length === 0 ? [] : [`Mentions ${links.join(", ")}.`, ""]),
  ].join("\n");
}
