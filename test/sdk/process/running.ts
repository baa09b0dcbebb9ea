/**
 * Runs one process in a test: under the key 1, by a worker that remembers nothing between two hand-outs.
 */
import { process, type ProcessContext } from "../../../sdk/sdk.js";
import type { TestCluster } from "../../../sdk/testing.js";

export interface Running<T> {
  /** Of its state. */
  readonly id: string;
  readonly result: () => Promise<T>;
}

/** Turns of the event loop after which something will never be. */
const turnsMax = 100_000;

export async function start<T>(
  cluster: TestCluster,
  run: (p: ProcessContext) => PromiseLike<T>,
  options: { readonly newsAfter?: number; readonly warn?: (message: string) => void } = {},
): Promise<Running<T>> {
  const definition = process<null, T>("test", { version: 1 }, run);
  cluster.worker({ processes: [definition], cached: 0, ...options });
  const started = await cluster.client.start(definition, null, { id: "1" });
  return { id: started.id, result: () => cluster.client.result(started) };
}

/** For what no quiet follows: a step that runs. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn === turnsMax) throw new Error(`not so after ${turnsMax} turns: ${String(condition)}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
