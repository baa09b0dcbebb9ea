/**
 * Rare things that are allowed to happen, made frequent: a site is armed for a whole run or not at all, and fires now and
 * then. Source: FoundationDB's flow/Buggify.h.
 */
import { drawAt, mix, streamSeed } from "./random.js";
import type { Schedule } from "./schedule.js";

const armedShare = 0.25;

export class Buggify {
  readonly #seed: number;
  readonly #chance: number;
  readonly #schedule: Schedule;
  readonly #passes = new Map<string, number>();

  constructor(seed: number, chance: number, schedule: Schedule) {
    this.#seed = streamSeed(seed, "buggify");
    this.#chance = chance;
    this.#schedule = schedule;
  }

  /** @param node its number; the same site of another node passes by itself */
  fires(site: string, node: number): boolean {
    if (this.#chance === 0) return false;
    const name = `${site} ${node}`;
    const pass = (this.#passes.get(name) ?? 0) + 1;
    this.#passes.set(name, pass);
    const seed = streamSeed(this.#seed, site);
    return this.#schedule.fires(
      name,
      pass,
      () => drawAt(seed, 0) < armedShare && drawAt(mix(seed, node + 1), pass) < this.#chance,
    );
  }
}
