/**
 * docs/performance.md: what stands between its marks is made from docs/performance/figures.json, and so are its diagrams.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drawCurves, type Panel } from "./curve.js";
import { mergeFigures, readFigures, writeFigures, type Figure } from "./figure.js";
import { markdownTable, markdownTables } from "./tables.js";
import { targetCells } from "./targets.js";

export const docs = fileURLToPath(
  new URL(import.meta.url.includes("/dist/") ? "../../../docs" : "../../docs", import.meta.url),
);
const curveFile = "performance/scale.svg";

/** Takes the figures of `out` into those of the page, and makes it new. */
export function writePage(out: string): void {
  mkdirSync(join(docs, "performance"), { recursive: true });
  const kept = join(docs, "performance/figures.json");
  writeFigures(kept, mergeFigures(readFigures(kept), readFigures(join(out, "figures.json"))));
  const figures = readFigures(kept);
  const curve = scaleCurve(figures);
  if (curve !== undefined) writeFileSync(join(docs, curveFile), curve);
  const page = join(docs, "performance.md");
  writeFileSync(page, fill(readFileSync(page, "utf8"), figures));
}

/** The page with everything between marks made anew: `<!-- name -->` to `<!-- end -->`. */
export function fill(page: string, figures: readonly Figure[]): string {
  const parts: Readonly<Record<string, () => string>> = {
    targets: () => markdownTable(targetCells(figures), "left"),
    scale: () => (figures.some(({ kind }) => kind === "scale") ? `![Scale](${curveFile})` : "Not measured yet."),
    figures: () => (figures.length > 0 ? markdownTables(figures) : "Nothing was measured yet."),
  };
  return page.replace(/<!-- (\w+) -->\n[\s\S]*?<!-- end -->/g, (all, name: string) => {
    const part = parts[name];
    return part === undefined ? all : `<!-- ${name} -->\n\n${part()}\n\n<!-- end -->`;
  });
}

export function scaleCurve(figures: readonly Figure[]): string | undefined {
  const scale = figures.filter(({ kind }) => kind === "scale");
  const names = [...new Set(scale.map(seriesName))];
  const panel = (title: string, read: (values: Figure["values"]) => number): Panel => ({
    title,
    series: names.flatMap((name) => {
      const points = scale
        .filter((figure) => seriesName(figure) === name)
        .map(({ values }) => ({ size: Number(values.size), value: read(values) }))
        .filter(({ size, value }) => size > 0 && Number.isFinite(value))
        .sort((a, b) => a.size - b.size);
      return points.length === 0 ? [] : [{ name, points }];
    }),
  });
  const highest = (value: Figure["values"][string] | undefined) => Math.max(...[value ?? NaN].flat());
  const panels = [
    panel("CPU per operation, µs, all nodes", (values) => Number(values.cpuMicrosPerOp)),
    panel("p99, ms", (values) => Number(values.p99Ms)),
    panel("RSS of the largest node, MiB", (values) => highest(values.rssMiB)),
    panel("disk of a node, GB", (values) => Number(values.diskGb)),
    panel("restart until ready, s", (values) => Number(values.restartSeconds)),
    panel("idle, % of a core", (values) => Number(values.idlePercent)),
  ].filter(({ series }) => series.length > 0);
  return panels.length === 0 ? undefined : drawCurves(panels);
}

/** The name without the size at its end. */
function seriesName({ name }: Figure): string {
  return name.replace(/ \d+$/, "");
}
