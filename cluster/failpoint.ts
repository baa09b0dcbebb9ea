/**
 * Named places in the node where a test may have it end, stall or fail. Each costs one comparison.
 *
 * Nothing that a node is made of arms them: only chaos/node.ts and tests call {@link armFailpoints}, and a test sees to it.
 */
export const sites = [
  "driver.before-send",
  "driver.after-send",
  "driver.before-persist-vote",
  "driver.before-persist-entries",
  "driver.before-answer",
  "driver.after-answer",
  "driver.before-apply",
  "driver.after-apply",
  "driver.before-configure",
  "driver.after-configure",
  "log.before-write",
  "log.after-write",
  "log.before-seal",
  "log.after-seal",
  "segments.before-purge",
  "segments.after-purge",
  "segments.before-rename",
  "segments.after-rename",
  "file.before-rename",
  "file.after-rename",
  "values.before-sync",
  "store.before-flush",
  "store.after-flush",
  "intake.before-propose",
  "intake.after-propose",
  "proposals.before-send",
  "proposals.after-send",
  "proposals.before-ack",
  "proposals.after-ack",
  "waits.before-hand-out",
  "waits.after-hand-out",
  "waits.before-withdraw",
  "callbacks.before-call",
  "callbacks.after-call",
  "callbacks.after-propose",
  "timers.before-propose",
  "timers.after-propose",
] as const;
export type Site = (typeof sites)[number];

let strike: ((site: Site) => void) | undefined;

export function failpoint(site: Site): void {
  if (strike !== undefined) strike(site);
}

/** @param onPass called at every site that is passed from now on; undefined: nothing any more */
export function armFailpoints(onPass: ((site: Site) => void) | undefined): void {
  strike = onPass;
}
