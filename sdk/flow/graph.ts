/**
 * Steps as a graph: an edge leads from what is required to what requires it, and from a step to its fallback.
 */
import { Failure } from "../client/errors.js";

/** As much of a step as its place in the graph depends on. */
export interface Node {
  readonly id: string;
  readonly requires: readonly string[];
  readonly fallback?: string;
}

/** Of one flow: it is stored as a whole whenever one of them ends. */
export const stepsMax = 200;

/**
 * @throws Failure `exists` for an ID that is there twice, `no_step` for one that is not there, `cycle`, `bad_step` for
 * more than {@link stepsMax}, and for a fallback that has requirements, is required, or stands for two steps
 */
export function checkGraph(steps: readonly Node[]): void {
  if (steps.length > stepsMax) throw new Failure(`a flow has at most ${stepsMax} steps`, { code: "bad_step" });
  const ids = new Set<string>();
  for (const { id } of steps) {
    if (ids.has(id)) throw new Failure(`step ${id} is there twice`, { code: "exists", details: { Step: id } });
    ids.add(id);
  }
  for (const { id, requires, fallback } of steps) {
    const missing = [...requires, ...(fallback === undefined ? [] : [fallback])].find((one) => !ids.has(one));
    if (missing !== undefined) throw noStep(missing, `, which step ${id} refers to`);
  }
  checkFallbacks(steps);
  const rest = new Set(ids);
  for (const id of levelsOf(steps).flat()) rest.delete(id);
  const stuck = [...rest];
  if (stuck.length === 0) return;
  throw new Failure(`steps require each other: ${stuck.join(", ")}`, { code: "cycle", details: { Steps: stuck } });
}

/** Steps of one level have nothing to do with each other; each has all that it requires in the levels before. */
export function levelsOf(steps: readonly Node[]): readonly (readonly string[])[] {
  const before = new Map(steps.map((one) => [one.id, new Set(one.requires)]));
  for (const { id, fallback } of steps) if (fallback !== undefined) before.get(fallback)?.add(id);
  const levels: string[][] = [];
  for (;;) {
    const level = [...before].filter(([, needs]) => [...needs].every((id) => !before.has(id))).map(([id]) => id);
    if (level.length === 0) return levels;
    levels.push(level);
    for (const id of level) before.delete(id);
  }
}

/** What each step requires, without what follows from the rest: the transitive reduction. */
export function reduced(steps: readonly Node[]): ReadonlyMap<string, readonly string[]> {
  const direct = new Map(steps.map(({ id, requires }) => [id, requires]));
  const all = new Map<string, ReadonlySet<string>>();
  // Levels, so that what is before a step is known when it is its turn, however deep the graph.
  for (const id of levelsOf(steps).flat()) {
    const requires = direct.get(id) ?? [];
    all.set(id, new Set(requires.flatMap((one) => [one, ...(all.get(one) ?? [])])));
  }
  return new Map(
    steps.map(({ id, requires }) => [
      id,
      requires.filter((one) => !requires.some((other) => other !== one && all.get(other)?.has(one))),
    ]),
  );
}

/** Who refers to a step: requires it, or falls back to it. */
export function dependants(steps: readonly Node[], id: string): readonly string[] {
  return steps.filter(({ requires, fallback }) => requires.includes(id) || fallback === id).map((one) => one.id);
}

/** The step and what comes after it; what it does not begin with is not required. @throws Failure `no_step` */
export function beginningWith<N extends Node>(steps: readonly N[], start: string): readonly N[] {
  if (!steps.some(({ id }) => id === start)) throw noStep(start);
  const kept = new Set([start]);
  for (const id of levelsOf(steps).flat()) {
    const step = steps.find((one) => one.id === id);
    const stoodFor = steps.some((one) => one.fallback === id && kept.has(one.id));
    if (step?.requires.some((one) => kept.has(one)) || stoodFor) kept.add(id);
  }
  return steps
    .filter(({ id }) => kept.has(id))
    .map((one) => ({ ...one, requires: one.requires.filter((id) => kept.has(id)) }));
}

export function noStep(id: string, more = ""): Failure {
  return new Failure(`there is no step ${id}${more}`, { code: "no_step", details: { Step: id } });
}

function checkFallbacks(steps: readonly Node[]): void {
  for (const { id, requires } of steps) {
    const users = steps.filter(({ fallback }) => fallback === id).map((one) => one.id);
    if (users.length === 0) continue;
    const required = steps.find((one) => one.requires.includes(id))?.id;
    const problem =
      users.length > 1
        ? `stands for more than one step: ${users.join(", ")}`
        : requires.length > 0
          ? `is a fallback and cannot require ${requires.join(", ")}`
          : required === undefined
            ? undefined
            : `is a fallback and cannot be required, as by ${required}: what it answers stands for ${users[0]}`;
    if (problem !== undefined) throw new Failure(`step ${id} ${problem}`, { code: "bad_step", details: { Step: id } });
  }
}
