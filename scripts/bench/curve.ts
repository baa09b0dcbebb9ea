/**
 * Small diagrams as SVG: one panel for each measure, one line for each series, sizes on a logarithmic axis.
 *
 * The same figures always give the same text, so that a difference between two versions is one of the figures.
 */

export interface Point {
  readonly size: number;
  readonly value: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
}

const plot = { width: 260, height: 130, left: 46, top: 26, right: 14, bottom: 26 };
const panelWidth = plot.left + plot.width + plot.right;
const panelHeight = plot.top + plot.height + plot.bottom;
const perRow = 2;
const legendLine = 16;
/** Told apart in light and dark and by people who see no red or green (Okabe and Ito). */
const colors = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"];

export function drawCurves(panels: readonly Panel[]): string {
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
  const rows = Math.ceil(panels.length / perRow);
  const [width, height] = [panelWidth * perRow, panelHeight * rows + legendLine * names.length + 8];
  const drawn = panels.map((panel, n) => {
    const at = `translate(${(n % perRow) * panelWidth} ${Math.floor(n / perRow) * panelHeight})`;
    return `<g transform="${at}">\n${drawPanel(panel, names)}\n</g>`;
  });
  const legend = names.map((name, n) => {
    const y = panelHeight * rows + legendLine * n + 10;
    return `<path d="M${plot.left} ${y}h22" stroke="${colorOf(n)}" stroke-width="2"/><text x="${plot.left + 30}" y="${y + 4}">${name}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="sans-serif" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...drawn,
    ...legend,
    "</svg>\n",
  ].join("\n");
}

function drawPanel({ title, series }: Panel, names: readonly string[]): string {
  const all = series.flatMap(({ points }) => points);
  const sizes = all.map(({ size }) => Math.log10(size));
  const [low, high] = [Math.floor(Math.min(...sizes)), Math.ceil(Math.max(...sizes))];
  const top = niceCeiling(Math.max(...all.map(({ value }) => value)));
  const x = (size: number) => fixed(plot.left + ((Math.log10(size) - low) / Math.max(1, high - low)) * plot.width);
  const y = (value: number) => fixed(plot.top + (1 - value / top) * plot.height);
  const bottom = plot.top + plot.height;
  const decades = Array.from({ length: high - low + 1 }, (_, n) => 10 ** (low + n));
  const lines = series.map(({ name, points }) => {
    const color = colorOf(names.indexOf(name));
    const path = points.map(({ size, value }, n) => `${n === 0 ? "M" : "L"}${x(size)} ${y(value)}`).join("");
    const dots = points.map(({ size, value }) => `<circle cx="${x(size)}" cy="${y(value)}" r="2.5" fill="${color}"/>`);
    return `<path d="${path}" fill="none" stroke="${color}" stroke-width="1.5"/>${dots.join("")}`;
  });
  return [
    `<text x="${plot.left}" y="14" font-weight="bold">${title}</text>`,
    ...[0, top / 2, top].map(
      (value) =>
        `<path d="M${plot.left} ${y(value)}h${plot.width}" stroke="#ddd"/><text x="${plot.left - 5}" y="${fixed(Number(y(value)) + 4)}" text-anchor="end">${short(value)}</text>`,
    ),
    ...decades.map((size) => `<text x="${x(size)}" y="${bottom + 16}" text-anchor="middle">${short(size)}</text>`),
    ...lines,
  ].join("\n");
}

/** 1, 2 or 5 times a power of ten, at least `value`. */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((one) => one >= value) ?? 10 * power;
}

function colorOf(n: number): string {
  return colors[n % colors.length] ?? "#000";
}

function fixed(value: number): string {
  return value.toFixed(1);
}

/** 1000 as 1 k, 1000000 as 1 M. */
function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (value >= 1e3) return `${Number((value / 1e3).toPrecision(3))} k`;
  return `${Number(value.toPrecision(3))}`;
}
