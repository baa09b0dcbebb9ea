/**
 * Who changes the members: asks some node, and asks again elsewhere until it is done or refused for good, as an operator
 * with a script would.
 */
import { SlctError } from "../src/errors.js";
import type { MembershipRequest } from "../cluster/membership.js";
import type { Loop } from "./loop.js";
import type { SimNode } from "./node.js";
import { drawAt } from "./random.js";
import type { Verdict } from "./verdict.js";

export interface OperatorOptions {
  readonly loop: Loop;
  readonly verdict: Verdict;
  readonly nodes: readonly SimNode[];
  readonly seed: number;
}

const attemptsMax = 20;
const retryMs = 500;

export class Operator {
  readonly #options: OperatorOptions;
  #asked = 0;
  #stopped = false;
  /** Requests that were answered with success. */
  done = 0;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  request(request: MembershipRequest, attempts = attemptsMax): void {
    const { loop, nodes, seed, verdict } = this.#options;
    if (this.#stopped || attempts === 0) return;
    const again = (): void => void loop.after(retryMs, () => this.request(request, attempts - 1));
    const running = nodes.filter(({ member }) => member !== undefined);
    const node = running[Math.floor(drawAt(seed, ++this.#asked) * running.length)];
    const { life, member } = node ?? {};
    if (node === undefined || life === undefined || member === undefined) return again();
    node.enter(life, () => {
      member.change(request).then(
        () => (this.done += 1),
        (error: unknown) => {
          if (!(error instanceof SlctError)) verdict.report(error);
          else if (["no_leader", "timeout", "not_ready", "busy", "overloaded"].includes(error.code)) again();
        },
      );
    });
  }

  stop(): void {
    this.#stopped = true;
  }
}
