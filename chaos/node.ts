/**
 * The normal node, with failpoints that its parent process may arm while it runs; it answers once that is done.
 */
import { armFailpoints } from "../cluster/failpoint.js";
import { strikeAt, type Armed } from "./arming.js";

process.on("message", ({ arm }: { readonly arm: Armed | null }) => {
  armFailpoints(arm === null ? undefined : strikeAt(arm));
  process.send?.({});
});
await import("../src/main.js");
