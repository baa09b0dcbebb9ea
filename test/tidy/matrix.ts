/**
 * Who may import whom: one row per folder, the first matching row counts.
 */
import type { Import, Source } from "./sources.js";

interface Row {
  readonly from: RegExp;
  /** For values and types. */
  readonly may: readonly RegExp[];
  /** For types only. */
  readonly mayTypes?: readonly RegExp[];
}

const anything = /^/;
const builtin = /^node:/;

export const matrix: readonly Row[] = [
  { from: /^src\/select\//, may: [/^src\/select\//, /^src\/invariant\.ts$/], mayTypes: [/^src\/errors\.ts$/] },
  { from: /^raft\//, may: [/^raft\//, /^src\/invariant\.ts$/], mayTypes: [/^src\/errors\.ts$/] },
  {
    from: /^cluster\//,
    may: [
      /^cluster\//,
      /^raft\//,
      /^src\/select\//,
      /^src\/(errors|codec|invariant)\.ts$/,
      builtin,
      /^(level|msgpackr|prom-client|tinyqueue|ipaddr\.js)$/,
    ],
    mayTypes: [/^(pino|level|classic-level|abstract-level)$/],
  },
  {
    from: /^api\//,
    may: [
      /^api\//,
      /^src\/select\/(types|command|outcome)\.ts$/,
      /^src\/(errors|invariant)\.ts$/,
      builtin,
      /^(express|ajv|prom-client)(\/|$)/,
    ],
    mayTypes: [/^cluster\/types\.ts$/, /^pino$/],
  },
  {
    from: /^ingress\//,
    may: [/^ingress\//, /^src\/(errors|codec|invariant)\.ts$/, builtin, /^prom-client$/],
    mayTypes: [/^cluster\/types\.ts$/, /^src\/select\/(types|command|outcome)\.ts$/, /^pino$/],
  },
  {
    from: /^sim\//,
    may: [
      /^sim\//,
      /^raft\//,
      /^src\/select\//,
      /^cluster\//,
      /^src\/(errors|codec|invariant)\.ts$/,
      builtin,
      /^(pino|prom-client|typescript)$/,
    ],
  },
  { from: /^src\/(main|ingress|process|config|options|option-kinds|restore|shutdown)\.ts$/, may: [anything] },
  { from: /^src\/(errors|invariant)\.ts$/, may: [] },
  { from: /^src\/codec\.ts$/, may: [/^msgpackr$/], mayTypes: [/^src\/select\/(types|command|outcome)\.ts$/] },
  // The harness runs the engine and the API in the process of a test; everything else of the SDK knows the wire only.
  {
    from: /^sdk\/testing(\/|\.ts$)/,
    may: [
      /^sdk\//,
      /^src\/select\//,
      /^src\/errors\.ts$/,
      /^api\/(server|rules)\.ts$/,
      /^cluster\/(waits|feed|queries)\.ts$/,
      builtin,
      /^(pino|prom-client|tinyqueue)$/,
    ],
    mayTypes: [/^cluster\/(types|environment)\.ts$/, /^api\/contract\.ts$/],
  },
  { from: /^sdk\//, may: [/^sdk\/(?!testing)/], mayTypes: [/^api\/contract\.ts$/] },
  // As users of the package write them.
  { from: /^examples\//, may: [/^examples\//, builtin, /^slct\/(client|sdk|testing)$/, /^vitest$/] },
  { from: /^chaos\/node\.ts$/, may: [/^chaos\//, /^cluster\/failpoint\.ts$/, /^src\/main\.ts$/] },
  {
    from: /^chaos\//,
    may: [
      /^chaos\//,
      /^scripts\/(cluster-file|cluster-status|node-process|free-ports)\.ts$/,
      /^cluster\/failpoint\.ts$/,
      builtin,
    ],
    mayTypes: [/^api\/contract\.ts$/],
  },
  { from: /^(scripts|test)\//, may: [anything] },
  { from: /^[^/]+$/, may: [anything] },
];

/** Nobody depends on the edges: programs, configuration, scripts, tests. */
const edges: readonly { readonly target: RegExp; readonly from: RegExp }[] = [
  { target: /^src\/main\.ts$/, from: /^chaos\/node\.ts$/ },
  {
    target: /^src\/(process|config|options|option-kinds|restore|shutdown)\.ts$/,
    from: /^(src\/(main|ingress|config|options|option-kinds|restore|shutdown)\.ts|(scripts|test)\/)/,
  },
  { target: /^(src\/ingress\.ts$|ingress\/)/, from: /^(ingress\/|src\/(main|ingress)\.ts$|test\/)/ },
  { target: /^sim\//, from: /^(sim|scripts|test)\// },
  { target: /^chaos\//, from: /^(chaos|scripts|test)\// },
  { target: /^scripts\//, from: /^(chaos|scripts|test)\// },
  // What the catalogues of the tests say is counted by commands.
  { target: /^test\//, from: /^(test\/|scripts\/(scenarios|rows|catalogue-run)\.ts$)/ },
];

export function violations(source: Pick<Source, "path" | "imports">): string[] {
  const row = matrix.find(({ from }) => from.test(source.path));
  if (row === undefined) return [`${source.path} is in a folder that the import matrix does not know`];
  return source.imports
    .filter(
      (one) =>
        !allowed(row, one) || !edges.every(({ target, from }) => !target.test(one.target) || from.test(source.path)),
    )
    .map(({ target, typeOnly, line }) => `${source.path}:${line} imports ${typeOnly ? "types of " : ""}${target}`);
}

function allowed(row: Row, { target, typeOnly }: Import): boolean {
  const rules = typeOnly ? [...row.may, ...(row.mayTypes ?? [])] : row.may;
  return rules.some((rule) => rule.test(target));
}

/** Files on cycles of imports that survive compilation. */
export function cycles(sources: readonly Pick<Source, "path" | "imports">[]): string[] {
  const edgesOf = new Map(
    sources.map(({ path, imports }) => [path, imports.filter(({ typeOnly }) => !typeOnly).map(({ target }) => target)]),
  );
  const finished = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      found.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      return;
    }
    if (finished.has(path)) return;
    for (const target of edgesOf.get(path) ?? []) visit(target, [...trail, path]);
    finished.add(path);
  };
  for (const { path } of sources) visit(path, []);
  return found;
}
