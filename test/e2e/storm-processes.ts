/**
 * Processes of every kind, for the storm: each books what it does at one service outside, by the key that it is given.
 */
import {
  act,
  activity,
  after,
  end,
  Failure,
  flow,
  goto,
  implement,
  machine,
  object,
  process,
  recv,
  step,
  wait,
  type StepContext,
  type StepInput,
} from "../../sdk/sdk.js";

export interface Order {
  /** Of the service outside (outside.ts). */
  readonly url: string;
  readonly n: number;
}

const retry = { attempts: 50, first: "100ms", max: "500ms" } as const;

type Key = Pick<StepContext, "idempotencyKey" | "signal">;

async function book({ url }: Order, what: string, { idempotencyKey, signal }: Key): Promise<void> {
  const response = await fetch(`${url}/${what}?key=${encodeURIComponent(idempotencyKey)}`, { method: "POST", signal });
  const text = await response.text();
  if (!response.ok) throw new Error(`${what} was answered ${response.status} ${text}`);
}

export const sequence = process("storm-sequence", { version: 1 }, async (p, order: Order) => {
  let sum = 0;
  for (const part of ["a", "b", "c", "d"]) {
    sum += await p.step(part, (key) => book(order, `sequence-${order.n}-${part}`, key).then(() => order.n), { retry });
  }
  return sum;
});

/** One end is a value, one a timer, one an activity. */
export const race = process("storm-race", { version: 1 }, async (p, order: Order) => {
  const { n } = order;
  const { tag } = await p.select({
    given: p.recv(n % 3 === 0 ? givenTo(n) : "storm-never"),
    late: p.after(n % 3 === 1 ? "2s" : "1h"),
    done: p.call(n % 3 === 2 ? quick : endless, order),
  });
  await p.step("end", (key) => book(order, `race-${n}`, key), { retry });
  return tag;
});

export function givenTo(n: number): string {
  return `storm-given-${n}`;
}

export const threads = process("storm-threads", { version: 1 }, async (p, order: Order) => {
  const results = p.chan<number>();
  for (const part of [1, 2, 3]) {
    void p.go(async (p) => {
      await p.step("part", (key) => book(order, `threads-${order.n}-${part}`, key), { retry });
      await p.send(results, part * order.n);
    });
  }
  return (await p.recv(results)) + (await p.recv(results)) + (await p.recv(results));
});

export const child = process("storm-child", { version: 1 }, async (p, order: Order) => {
  await p.step("book", (key) => book(order, `child-${order.n}`, key), { retry });
  return order.n;
});

export const family = process("storm-family", { version: 1 }, async (p, order: Order) => {
  const known = p.spawn(child, { ...order, n: 2 * order.n + 1 }, { id: `known-${order.n}` });
  const called = await p.call(child, { ...order, n: 2 * order.n });
  return called + (await known.result);
});

export const door = machine<Order, Order, number>(
  "storm-door",
  { version: 1 },
  {
    start: (order) => goto("open", order),
    states: {
      open: act({
        step: (order, key) => book(order, `door-${order.n}-open`, key),
        done: (order) => goto("opened", order),
        retry,
      }),
      opened: wait({
        select: () => ({ late: after("500ms"), never: recv("storm-never") }),
        on: { late: (order) => goto("shut", order), never: () => end(-1) },
      }),
      shut: act({ step: (order, key) => book(order, `door-${order.n}-shut`, key), done: ({ n }) => end(n), retry }),
    },
  },
);

export const counter = object(
  "storm-counter",
  { version: 1 },
  {
    initial: () => 0,
    handlers: {
      add: async (o, order: Order) => {
        await o.step("book", (key) => book(order, `counter-${order.n}`, key), { retry });
        return (o.state += 1);
      },
    },
  },
);

/** Goes on where the attempt before it has been. */
const render = activity<Order, number>("storm-work", "render", { timeout: "2m", heartbeat: "20s", retry });
const quick = activity<Order, string>("storm-work", "quick", { retry });
const endless = activity<Order, string>("storm-work", "endless");
export const rendering = process("storm-rendering", { version: 1 }, (p, order: Order) => p.call(render, order));

type Input = StepInput<Order>;
const bookFlight = activity<Input, string>("storm-travel", "flight", { retry });
const bookRoom = activity<Input, string>("storm-travel", "room", { retry });
const mail = activity<Input, string>("storm-travel", "mail", { retry });
const cancel = activity<Input>("storm-travel", "cancel", { retry });

/** Every second one finds no room, and gives its flight back. */
const flight = step("flight", { endpoint: bookFlight, compensate: cancel });
const room = step("room", { endpoint: bookRoom, requires: [flight] });
export const trip = flow("storm-trip", [flight, room, step("mail", { endpoint: mail, requires: [room] })]);

const booking = async (what: string, { request }: Input, key: Key): Promise<string> => {
  const order = request.body;
  await book(order, `trip-${order.n}-${what}`, key);
  return `${what} ${order.n}`;
};

export const activities = [
  implement(render, async (order, a) => {
    for (let part = Number(a.lastDetails ?? 0); part < 3; part++) {
      const idempotencyKey = `${a.idempotencyKey}.${part}`;
      await book(order, `render-${order.n}-${part}`, { idempotencyKey, signal: a.signal });
      a.heartbeat(part + 1);
    }
    return 3 * order.n;
  }),
  implement(quick, (order, a) => book(order, `quick-${order.n}`, a).then(() => "quick")),
  implement(endless, (_, a) => a.pending()),
  implement(bookFlight, (input, a) => booking("flight", input, a)),
  implement(bookRoom, (input, a) => {
    if (input.request.body.n % 2 === 1) throw new Failure("no room", { code: "sold_out" });
    return booking("room", input, a);
  }),
  implement(mail, (input, a) => booking("mail", input, a)),
  implement(cancel, async (input, a) => void (await booking("cancel", input, a))),
];

export const saga = process("storm-saga", { version: 1 }, async (p, order: Order) => {
  await p.step("book", (key) => book(order, `saga-${order.n}`, key), { retry });
  p.defer(() => p.step("undo", (key) => book(order, `saga-${order.n}-undone`, key), { retry }));
  await p.sleep("200ms");
  throw new Failure("in vain", { code: "in_vain" });
});

export const sleeper = process("storm-sleeper", { version: 1 }, async (p, order: Order) => {
  await p.sleep("3s");
  await p.step("wake", (key) => book(order, `sleeper-${order.n}`, key), { retry });
  await p.sleep("2s");
  return order.n;
});
