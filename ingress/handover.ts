/**
 * Connections on their way from the core to a worker.
 */
import type { ChildProcess } from "node:child_process";

interface Handle {
  close(): void;
}

/**
 * node:cluster forgets the connection that it was handing to a process which dies: it would stay open, and its client wait
 * for ever. This closes it. There is one at a time; to close what the worker took, and so is closed here, does nothing.
 */
export function closeWhatIsLost(child: ChildProcess): void {
  const send = child.send.bind(child) as (...args: unknown[]) => boolean;
  let handed: Handle | undefined;
  child.send = (...args: unknown[]) => {
    if (isHandle(args[1])) handed = args[1];
    return send(...args);
  };
  child.once("exit", () => handed?.close());
}

function isHandle(value: unknown): value is Handle {
  return typeof value === "object" && value !== null && "close" in value && typeof value.close === "function";
}
