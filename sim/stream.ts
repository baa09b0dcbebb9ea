/**
 * A stream that one node pulls from another, on a connection of its own: each piece is asked for, travels, and is lost with
 * either process or when the network is cut.
 */
import { PullError } from "../cluster/peer-pull.js";
import type { Host } from "./link.js";
import type { Event, Loop } from "./loop.js";

export interface StreamNetwork {
  readonly loop: Loop;
  latencyMs(): number;
  isCut(a: Host, b: Host): boolean;
  /** The connection breaks now. */
  breaks(): boolean;
}

/** A piece that does not come for so long does not come at all: as in cluster/peer-pull.ts. */
const idleMs = 10_000;

export interface PullOptions {
  readonly by: Host;
  readonly from: Host;
  readonly path: string;
  readonly signal: AbortSignal;
}

type Step = (settle: { readonly done: (value: unknown) => void; readonly failed: (error: unknown) => void }) => void;

export async function* pull(network: StreamNetwork, options: PullOptions): AsyncGenerator<Uint8Array> {
  const { by, from, path } = options;
  const fromLife = from.life;
  const call = (step: Step): Promise<unknown> => roundTrip(network, options, fromLife, step);
  const stream = (await call(({ done }) => done(from.handler?.onPull(by.id, path)?.[Symbol.asyncIterator]()))) as
    AsyncIterator<Uint8Array> | undefined;
  if (stream === undefined) throw new PullError("refused with 404", true);
  try {
    for (;;) {
      const next = (await call(({ done, failed }) => {
        stream.next().then(done, failed);
      })) as IteratorResult<Uint8Array>;
      if (next.done === true) return;
      yield new Uint8Array(next.value);
    }
  } finally {
    // The other side sees the connection end.
    network.loop.after(network.latencyMs(), () => {
      if (fromLife !== undefined) from.enter(fromLife, () => void stream.return?.());
    });
  }
}

/** `step` runs in the node that is asked; what comes of it is told to the one that asks, if both live and are connected. */
function roundTrip(
  network: StreamNetwork,
  { by, from, signal }: PullOptions,
  fromLife: number | undefined,
  step: Step,
): Promise<unknown> {
  const { loop } = network;
  const byLife = by.life;
  return new Promise((resolve, reject) => {
    const back = (settle: () => void): void => {
      silence.cancelled = true;
      signal.removeEventListener("abort", abort);
      if (byLife !== undefined) by.enter(byLife, settle);
    };
    const fail = (): void => back(() => reject(new PullError("the connection broke", false)));
    const silence: Event = loop.after(idleMs, fail);
    const abort = (): void => {
      silence.cancelled = true;
      reject(new PullError("given up", false));
    };
    signal.addEventListener("abort", abort, { once: true });
    const hop = (run: () => void): void => {
      loop.after(network.latencyMs(), () => {
        if (!network.isCut(by, from)) run();
      });
    };
    hop(() => {
      if (fromLife === undefined || from.life !== fromLife || network.breaks()) return fail();
      from.enter(fromLife, () =>
        step({
          done: (value) => hop(() => back(() => resolve(value))),
          failed: () => hop(fail),
        }),
      );
    });
  });
}
