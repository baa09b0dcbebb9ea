/**
 * Structural equality of plain data and bytes: fast enough to compare every record that every node writes.
 */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && equalBytes(a, b);
  if (Array.isArray(a)) return Array.isArray(b) && equalItems(a, b);
  return !Array.isArray(b) && !(b instanceof Uint8Array) && equalMembers(a as Members, b as Members);
}

type Members = Readonly<Record<string, unknown>>;

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}

function equalItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (!equal(a[at], b[at])) return false;
  return true;
}

/** A member that is undefined is one that is not there. */
function equalMembers(a: Members, b: Members): boolean {
  let left = 0;
  for (const key in a) {
    if (a[key] === undefined) continue;
    left += 1;
    if (!equal(a[key], b[key])) return false;
  }
  for (const key in b) if (b[key] !== undefined) left -= 1;
  return left === 0;
}
