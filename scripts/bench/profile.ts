/**
 * Where a node's time went, from its CPU profile.
 */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** The functions with the most self time: share of the busy (not idle) time, name, file. */
export function hottest(file: string, count: number): { share: number; name: string; where: string }[] {
  const profile = JSON.parse(readFileSync(file, "utf8")) as Profile;
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const self = new Map<string, number>();
  let busy = 0;
  profile.samples.forEach((id, n) => {
    const frame = names.get(id);
    if (frame === undefined || frame.functionName === "(idle)" || frame.functionName === "(root)") return;
    const micros = profile.timeDeltas[n] ?? 0;
    busy += micros;
    const where = frame.url.split("/").slice(-2).join("/");
    const key = `${frame.functionName || "(anonymous)"}\0${where}`;
    self.set(key, (self.get(key) ?? 0) + micros);
  });
  return [...self]
    .sort((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(([key, micros]) => ({
      share: micros / busy,
      name: key.split("\0")[0] ?? "",
      where: key.split("\0")[1] ?? "",
    }));
}

/** The hottest functions of every profile in `dir`, as text. */
export function profileText(dir: string, count: number): string {
  const files = readdirSync(dir).filter((name) => name.endsWith(".cpuprofile"));
  return files
    .map((name) => {
      const lines = hottest(join(dir, name), count).map(
        (one) => `  ${(one.share * 100).toFixed(1).padStart(5)} %  ${one.name}  ${one.where}`,
      );
      return [name, ...lines].join("\n");
    })
    .join("\n\n");
}
