/**
 * Work for flows in tests: done at once, or by hand when the test says so; what was done is written down.
 */
import { activity, flowProcesses, flows, implement, step } from "../../../sdk/sdk.js";
import {
  Failure,
  type Flows,
  type FlowStep,
  type FlowStepOptions,
  type Json,
  type StepInput,
} from "../../../sdk/sdk.js";
import { createTestCluster, type TestCluster } from "../../../sdk/testing.js";

const work = activity<StepInput, Json>("work", "do", { retry: { attempts: 2, first: "1s" } });
const undo = activity<StepInput, Json>("work", "undo", { retry: { attempts: 1 } });
const hand = activity<StepInput, Json>("work", "by-hand");

export class Workshop {
  readonly cluster: TestCluster = createTestCluster();
  readonly all: Flows = flows(this.cluster.client);
  /** What was done, in order: `a`, `undo a: "a done"`. */
  readonly log: string[] = [];
  /** Work that waits until the test says how it ends, by step. */
  readonly open = new Map<string, { readonly token: string; readonly input: StepInput }>();

  constructor() {
    const run = (input: StepInput) => {
      this.log.push(input.step);
      const { bad } = (input.request.body ?? {}) as { bad?: string };
      if (bad === input.step) throw new Failure("sold out", { code: "sold_out" });
      return `${input.step} done`;
    };
    this.cluster.worker({
      processes: flowProcesses(),
      activities: [
        implement(work, run),
        implement(undo, ({ step, response }) => void this.log.push(`undo ${step}: ${JSON.stringify(response?.body)}`)),
        implement(hand, (input, a) => {
          this.log.push(input.step);
          this.open.set(input.step, { token: a.token, input });
          return a.pending();
        }),
      ],
      cached: 0,
    });
  }

  /** Ends work that waits. */
  async end(id: string, value: unknown = `${id} done`): Promise<void> {
    await this.cluster.untilQuiescent();
    await this.cluster.client.resolve(this.open.get(id)?.token ?? "", value);
    await this.cluster.untilQuiescent();
  }

  /** What an execution gives, decoded. */
  async bodies(id: string): Promise<Record<string, Json>> {
    const result = await this.all.result(id);
    return Object.fromEntries(Object.entries(result).map(([name, { body }]) => [name, body.decode()]));
  }
}

export function done(id: string, options: Partial<FlowStepOptions> = {}): FlowStep {
  return step(id, { endpoint: work, compensate: undo, ...options });
}

export function byHand(id: string, options: Partial<FlowStepOptions> = {}): FlowStep {
  return step(id, { endpoint: hand, compensate: undo, ...options });
}

export function failureOf(promise: PromiseLike<unknown>): Promise<Failure> {
  return promise.then(null, (error: Failure) => error) as Promise<Failure>;
}
