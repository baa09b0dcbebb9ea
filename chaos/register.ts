/**
 * A state of the service as a register with a revision: what a read, a write and a compare-and-set may answer.
 */
import type { Call, Model } from "./linearizability.js";

export interface Register {
  readonly version: number;
  readonly value: string;
}

export type RegisterInput =
  | { readonly op: "read" }
  | { readonly op: "write"; readonly value: string }
  /** Only if the version is this one. */
  | { readonly op: "compareAndSet"; readonly version: number; readonly value: string };

/** The register after a write, as it is for a read; `mismatch`: the version was another one. */
export type RegisterOutput =
  { readonly kind: "is"; readonly version: number; readonly value?: string } | { readonly kind: "mismatch" };

export type RegisterCall = Call<RegisterInput, RegisterOutput>;

/**
 * A revision has one value. So what `calls` say of each revision rules out most places for a write whose outcome is
 * unknown; without that, every such write doubles the work.
 */
export function registerModel(
  initial: Register,
  calls: readonly RegisterCall[],
): Model<Register, RegisterInput, RegisterOutput> {
  const known = new Map(calls.flatMap(seen));
  return {
    initial,
    step(state, input, output) {
      const after = next(state, input);
      if (output === undefined) {
        const fits = after !== undefined && (known.get(after.version) ?? after.value) === after.value;
        return fits ? after : state;
      }
      if (output.kind === "mismatch") return after === undefined ? state : undefined;
      if (after?.version !== output.version) return undefined;
      return output.value === undefined || output.value === after.value ? after : undefined;
    },
    key: ({ version, value }) => `${version} ${value}`,
  };
}

function seen({ input, output }: RegisterCall): [version: number, value: string][] {
  if (output?.kind !== "is") return [];
  const value = input.op === "read" ? output.value : input.value;
  return value === undefined ? [] : [[output.version, value]];
}

/** Undefined: refused. */
function next(state: Register, input: RegisterInput): Register | undefined {
  if (input.op === "read") return state;
  if (input.op === "compareAndSet" && input.version !== state.version) return undefined;
  return { version: state.version + 1, value: input.value };
}
