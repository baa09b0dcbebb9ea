/**
 * The workers of a flow die at every put-back: it is done and undone as if they had not, once to whoever deduplicates.
 */
import { expect, test } from "vitest";
import { activity, Failure, flow, flowProcesses, flows, implement, step } from "../../../sdk/sdk.js";
import { createTestCluster, type Fault, type TestCluster, type TestWorker } from "../../../sdk/testing.js";
import type { Json, StepInput } from "../../../sdk/sdk.js";

const book = activity<StepInput, Json>("shop", "book");
const cancel = activity<StepInput, Json>("shop", "cancel");
const saga = flow("saga", [
  step("a", { endpoint: book, compensate: cancel }),
  step("b", { endpoint: book, requires: ["a"] }),
]);
/** Put-backs until the flow has ended; the test says if there are more. */
const requestsMax = 60;

/** What was done, by key: the second time changes nothing. */
type Done = Map<string, string>;

function startWorker(cluster: TestCluster, done: Done): TestWorker {
  const activities = [
    implement(book, ({ step }, a) => {
      if (step === "b") throw new Failure("sold out", { code: "sold_out" });
      done.set(a.idempotencyKey, step);
      return step;
    }),
    implement(
      cancel,
      ({ step, response }, a) => void done.set(a.idempotencyKey, `not ${step}, ${JSON.stringify(response?.body)}`),
    ),
  ];
  return cluster.worker({ processes: flowProcesses(), activities, cached: 0, lease: "3s" });
}

async function run(dieAt: number, fault: Fault): Promise<{ requests: number; outcome: unknown; done: string[] }> {
  const cluster = createTestCluster();
  const done: Done = new Map();
  let requests = 0;
  let isDead = false;
  const victim = startWorker(cluster, done);
  cluster.onRequest = ({ method }) => {
    if (method !== "PATCH" || requests++ !== dieAt) return undefined;
    // Dead once this request is decided on: dropped, or done without anybody who hears of it.
    queueMicrotask(() => victim.kill());
    isDead = true;
    return fault;
  };
  const id = await flows(cluster.client).execute(saga, null);
  await cluster.advance("1s");
  if (isDead) startWorker(cluster, done);
  await cluster.advance("20s");
  const outcome = await cluster.client.result(id, { wait: 0 }).then(null, (error: Failure) => error.code);
  await cluster.close();
  return { requests, outcome, done: [...done.values()] };
}

test.each(["drop", "lose"] as const)(
  "F1 a saga outlives the death of its worker, whose last request: %s",
  async (fault) => {
    for (let dieAt = 0; ; dieAt++) {
      const { requests, outcome, done } = await run(dieAt, fault);
      expect(outcome, `died at request ${dieAt}`).toBe("step_failed");
      expect(done, `died at request ${dieAt}`).toEqual(["a", 'not a, "a"']);
      if (requests <= dieAt) break;
      expect(dieAt).toBeLessThan(requestsMax);
    }
  },
);
