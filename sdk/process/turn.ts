/**
 * One turn of a process: something is given to its code, which then runs until nothing moves any more.
 *
 * All that code may await are operations of its process, so what one result sets in motion is done when the queue of
 * microtasks is empty. Where the platform has setImmediate (Node, Bun, Deno), two of them queued together hold exactly
 * that between them, and nothing of anybody else: only there the guard watches (guard.ts).
 */
import { enter, leave, type Guard } from "./guard.js";

const immediate: ((run: () => void) => void) | undefined = (globalThis as { setImmediate?: (run: () => void) => void })
  .setImmediate;
const later = immediate ?? messageTask();

/** Runs `begin` and everything that follows from it. Resolves when that is done. */
export async function turn(begin: () => void, guard?: Guard): Promise<void> {
  const watched = guard !== undefined && immediate !== undefined;
  let failure: { readonly error: unknown } | undefined;
  await new Promise<void>((resolve) => {
    later(() => {
      if (watched) enter(guard);
      try {
        begin();
      } catch (error) {
        failure = { error };
      }
    });
    later(() => {
      if (watched) leave();
      resolve();
    });
  });
  if (failure) throw failure.error;
}

/** Resolves when what is under way in microtasks is done. */
export function quiet(): Promise<void> {
  return new Promise((resolve) => later(resolve));
}

/** Tasks in order, without the pause that timers are clamped to. */
function messageTask(): (run: () => void) => void {
  const { port1, port2 } = new MessageChannel();
  const queue: (() => void)[] = [];
  (port2 as { onmessage?: () => void }).onmessage = () => queue.shift()?.();
  return (run) => {
    queue.push(run);
    port1.postMessage(null);
  };
}
