/**
 * The pieces that the pages of docs/sdk/guide.md are made of.
 */
import type { Client } from "slct/client";
import {
  act,
  activity,
  after,
  collector,
  end,
  Failure,
  goto,
  implement,
  machine,
  object,
  process,
  recv,
  wait,
} from "slct/sdk";

export const retrying = process("retrying", { version: 1 }, async (p, url: string) => {
  const options = { retry: { attempts: 5, first: "1s", max: "1m", never: ["EBADINPUT"] }, timeout: "30s" };
  return p.step("fetch", ({ idempotencyKey, signal }) => get(url, { idempotencyKey, signal }), options);
});

export const batch = process("batch", { version: 1 }, async (p, size: number) => {
  return p.loop<number[], number[]>([], async (seen, p) => {
    const r = await p.select({ item: p.recv<number>("items"), full: p.after("5s") });
    if (r.tag === "full" || !r.ok) return p.done(seen);
    const next = [...seen, r.value];
    return next.length === size ? p.done(next) : next;
  });
});

export const together = process("together", { version: 1 }, async (p) => {
  const results = p.chan<string>();
  for (const name of ["a", "b", "c"]) {
    void p.go(async (p) => {
      await p.sleep("1s");
      await p.send(results, name);
    });
  }
  return [await p.recv(results), await p.recv(results), await p.recv(results)];
});

export const approval = process("approval", { version: 1 }, async (p, what: string) => {
  const decision = p.promise<boolean>();
  p.vars["what"] = what;
  p.vars["decide"] = decision.id;
  const r = await p.select({ decision, late: p.after("3 days") });
  if (r.tag === "late") return "nobody decided";
  return r.ok && r.value ? "approved" : "refused";
});

export const child = process("child", { version: 1 }, async (p, n: number) => {
  await p.sleep("1 minute");
  if (n < 0) throw new Failure("negative", { code: "negative", details: { n } });
  return n * 2;
});

export const parent = process("parent", { version: 1 }, async (p) => {
  const known = p.spawn(child, 5, { id: "five" });
  const doubled = await p.call(child, 4);
  const failed = await p.call(child, -1).then(
    () => "fine",
    (error: Failure) => error.code,
  );
  return { doubled, failed, known: await known.result };
});

export const saga = process("saga", { version: 1 }, async (p, hasRoom: boolean) => {
  const undone: string[] = [];
  p.vars["undone"] = undone;
  const flight = await p.step("book the flight", () => "flight 7");
  p.defer(async () => {
    undone.push(await p.step("cancel the flight", () => flight));
    p.vars["undone"] = undone;
  });
  await p.step("book a room", () => {
    if (!hasRoom) throw new Failure("no room", { code: "sold_out" });
  });
  return "booked";
});

interface Door {
  readonly knocks: number;
}

export const door = machine<null, Door, string>(
  "door",
  { version: 1 },
  {
    start: () => goto("closed", { knocks: 0 }),
    states: {
      closed: wait({
        select: () => ({ knock: recv("knock"), late: after("1h") }),
        on: {
          knock: ({ knocks }) => (knocks === 2 ? goto("open", { knocks: 3 }) : goto("closed", { knocks: knocks + 1 })),
          late: ({ knocks }) => end(`stayed closed after ${knocks}`),
        },
      }),
      open: act({ step: ({ knocks }) => `opened after ${knocks}`, done: (_, text) => end(text) }),
    },
    cancelled: () => end("locked"),
  },
);

export const housekeeping = (client: Client) => collector(client, { every: "1 day" });

export const counter = object(
  "counter",
  { version: 1 },
  {
    initial: () => 0,
    handlers: {
      add: (o, n: number) => (o.state += n),
      read: (o) => o.state,
    },
  },
);

export const render = activity<{ pages: number }, string>("render", "pdf", { timeout: "10m", heartbeat: "30s" });

export const rendering = implement(render, async ({ pages }, a) => {
  for (let page = Number(a.lastDetails ?? 0); page < pages && !a.signal.aborted; page++) {
    await Promise.resolve();
    a.heartbeat(page + 1);
  }
  return `${pages} pages`;
});

export const courier = activity<{ order: string }, string>("people", "pick-up", { timeout: "1 day" });

export const picking = implement(courier, ({ order }, a) => {
  tokens.set(order, a.token);
  return a.pending();
});

/** In a program of its own: what the courier's phone is sent. */
export const tokens = new Map<string, string>();

export const delivery = process("delivery", { version: 1 }, async (p, id: string) => {
  const document = await p.call(render, { pages: 3 });
  const taken = await p.call(courier, { order: id });
  return `${document}, ${taken}`;
});

async function get(url: string, more: { idempotencyKey: string; signal: AbortSignal }): Promise<string> {
  more.signal.throwIfAborted();
  return Promise.resolve(`${url} ${more.idempotencyKey.length}`);
}
