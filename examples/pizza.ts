/**
 * A pizza: the guest may change their mind until the cook has said yes, and the cook has ten minutes to say it.
 */
import { durationMs, type Client } from "slct/client";
import { channel, Failure, process as durable } from "slct/sdk";

export interface PizzaOrder {
  readonly id: string;
  readonly pizza: string;
  /** How long the kitchen may think, and bake. */
  readonly approveWithin: string;
  readonly bake: string;
}

export const changes = (id: string) => channel<{ pizza: string } | { cancel: true }>(`pizza-${id}-changes`);

export const pizza = durable("pizza", { version: 1 }, async (p, { id, pizza, approveWithin, bake }: PizzaOrder) => {
  const approval = p.promise<{ cook: string }>();
  p.vars["approve"] = approval.id;
  const late = p.now() + durationMs(approveWithin);
  const ordered = await p.loop({ pizza }, async (order, p) => {
    p.vars["order"] = order.pizza;
    const r = await p.select({ approval, change: p.recv(changes(id)), late: p.at(late) });
    switch (r.tag) {
      case "approval":
        if (!r.ok) throw r.error;
        return p.done({ ...order, cook: r.value.cook });
      case "change":
        if (!r.ok || "cancel" in r.value)
          throw new Failure("the guest does not want it", { code: "cancelled_by_guest" });
        return { pizza: r.value.pizza };
      case "late":
        throw new Failure("the kitchen did not answer", { code: "no_answer" });
    }
  });
  const paid = await p.step("charge", ({ idempotencyKey }) => idempotencyKey.length > 0);
  await p.sleep(bake);
  return `${ordered.pizza} by ${ordered.cook}${paid ? ", paid" : ""}`;
});

export const processes = [pizza];

export async function* demo(client: Client): AsyncGenerator<string> {
  const order = async (approveWithin: string) => {
    const id = crypto.randomUUID().slice(0, 8);
    return { id, started: await client.start(pizza, { id, pizza: "funghi", approveWithin, bake: "1s" }, { id }) };
  };
  const kept = await order("10m");
  await client.send(changes(kept.id), { pizza: "margherita" }, { wait: "10s" });
  const { approve } = await client.vars(kept.started.id);
  await client.resolve(approve as string, { cook: "carla" });
  yield await client.result(kept.started);

  const codeOf = ({ code }: Failure) => code;
  const dropped = await order("10m");
  await client.send(changes(dropped.id), { cancel: true }, { wait: "10s" });
  yield await client.result(dropped.started).then(null, codeOf);
  yield await client.result((await order("1s")).started).then(null, codeOf);
}
