/**
 * How a client writes things: a select sent again, the digest of a body, a member that may be absent.
 */
import type { CaseSpec, Select, SelectSpec } from "../../src/select/types.js";

export const optional = <K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: V };

/** `select` as a client would send it again: `asAnswered` gives times as the service shows them. */
export function respell(select: Pick<Select, "id" | "choice" | "cases">, asAnswered: boolean): SelectSpec {
  const cases = select.cases.map((one): CaseSpec => {
    if (one.op !== "time") return one;
    const { form, deadlineMs } = one;
    if (form.kind !== "after") return { op: "time", form, deadlineMs };
    return asAnswered ? { op: "time", form: { kind: "at" }, deadlineMs } : { op: "time", form };
  });
  return { id: select.id, choice: select.choice, cases };
}

/** Equal bodies have equal digests; the lock, the Request-Id and If-Match are no part of a body. */
export function digestOf(body: object): string {
  const skipped = ["lock", "requestId", "ifVersion", "wait", "digest"];
  return JSON.stringify(body, (key, value: unknown) => {
    if (skipped.includes(key)) return undefined;
    return value instanceof Uint8Array ? Buffer.from(value).toString() : value;
  });
}
