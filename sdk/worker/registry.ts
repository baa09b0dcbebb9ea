/**
 * The processes a worker has, and which of them a state belongs to.
 */
import type { Json } from "../../api/contract.js";
import { SlctError } from "../client/errors.js";
import type { RunningData } from "../client/process-data.js";
import type { AnyProcess } from "../process/definition.js";

/** Anything that can be run: the types of its input and output are its author's concern. */
export type Runnable = Pick<AnyProcess, "name" | "version" | "migrate"> & { readonly run: unknown };

export class Registry {
  readonly #byName = new Map<string, Map<string, AnyProcess>>();

  /** @throws SlctError `bad_request` for two processes of the same name and version */
  constructor(processes: readonly Runnable[]) {
    for (const one of processes as readonly AnyProcess[]) {
      const versions = this.#byName.get(one.name) ?? new Map<string, AnyProcess>();
      if (versions.has(one.version)) {
        throw new SlctError("bad_request", `process ${one.name} is there twice in version ${one.version}`);
      }
      this.#byName.set(one.name, versions.set(one.version, one));
    }
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  /**
   * The process in the version that `data` was begun with; without it, the last one given that can take it over.
   * @throws SlctError `unknown_process`
   */
  find(data: RunningData): { readonly process: AnyProcess; readonly data: RunningData } {
    const versions = this.#byName.get(data.process);
    const exact = versions?.get(data.version);
    if (exact) return { process: exact, data };
    const heir = [...(versions?.values() ?? [])].findLast(({ migrate }) => migrate !== undefined);
    if (heir) return { process: heir, data: migrated(heir, data) };
    const known = versions ? `only its versions ${[...versions.keys()].join(", ")}` : "no such process";
    throw new SlctError("unknown_process", `${data.process} in version ${data.version}: this worker has ${known}`);
  }
}

function migrated(process: AnyProcess, data: RunningData): RunningData {
  const [op, frame] = Object.entries(data.loops ?? {})[0] ?? [];
  const old = { version: data.version, input: data.input, ...(frame && { carry: frame.carry }) };
  const made = process.migrate?.(structuredClone(old)) ?? {};
  const carry = made.carry === undefined ? frame?.carry : made.carry;
  return {
    ...data,
    version: process.version,
    ...(made.input !== undefined && { input: made.input as Json }),
    ...(op !== undefined && frame && { loops: { ...data.loops, [op]: { ...frame, carry: carry ?? null } } }),
  };
}
