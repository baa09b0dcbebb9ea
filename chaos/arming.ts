/**
 * What a failpoint does when it is passed, and when: told to a running node by the one who started it.
 */
import type { Site } from "../cluster/failpoint.js";

export type Action =
  /** The process is gone at once, as after kill -9. */
  | { readonly kind: "exit" }
  /** Nothing of the process runs for so long. */
  | { readonly kind: "sleep"; readonly ms: number }
  /** An error comes out of the place. */
  | { readonly kind: "throw" };

export interface Armed {
  readonly site: Site;
  readonly action: Action;
  /** Passed so often before; then it happens once. */
  readonly after: number;
}

/** @returns what to call at every pass */
export function strikeAt({ site, action, after }: Armed): (passed: Site) => void {
  let left = after;
  return (passed) => {
    if (passed !== site || left-- !== 0) return;
    act(action, site);
  };
}

function act(action: Action, site: Site): void {
  switch (action.kind) {
    case "exit":
      process.kill(process.pid, "SIGKILL");
      // Not one more statement of the node.
      for (;;);
    case "sleep":
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, action.ms);
      return;
    case "throw":
      throw new Error(`failpoint ${site}`);
  }
}
