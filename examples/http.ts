/**
 * A service and an object that are called by plain HTTP.
 */
import type { Client } from "slct/client";
import { Failure, ingress, nodeHandler, object, service } from "slct/sdk";

const mail = service(
  "mail",
  { version: 1 },
  {
    welcome: async (p, { to }: { to: string }) => {
      await p.step("send", ({ idempotencyKey }) => send(to, "Welcome", idempotencyKey));
      await p.sleep("1s");
      await p.step("ask", ({ idempotencyKey }) => send(to, "How do you like it?", idempotencyKey));
      return `two mails to ${to}`;
    },
  },
);

const account = object(
  "account",
  { version: 1 },
  {
    initial: () => 0,
    handlers: {
      add: (o, amount: number) => {
        if (o.state + amount < 0) throw new Failure("not enough", { code: "overdrawn", details: { balance: o.state } });
        return (o.state += amount);
      },
      approve: async (o) => {
        const approval = o.promise<string>();
        o.vars["approval"] = approval.id;
        return approval;
      },
    },
  },
);

export const processes = [...mail.processes, ...account.processes];

export const listener = (client: Client) => nodeHandler(ingress({ services: [mail], objects: [account], client }));

export async function* demo(client: Client): AsyncGenerator<string> {
  const handle = ingress({ services: [mail], objects: [account], client });
  const post = async (path: string, body: unknown) => {
    const headers = { "content-type": "application/json", "idempotency-key": "demo-1" };
    const request = new Request(`http://localhost${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    const response = await handle(request);
    return `POST ${path}: ${response.status} ${await response.text()}`;
  };
  const key = crypto.randomUUID();
  yield post("/mail/welcome", { to: "ada@example.org" });
  yield post(`/account/${key}/add`, 5);
  // Under the same idempotency key: nothing is added.
  yield post(`/account/${key}/add`, 5);
}

/** What a provider of mail would do: one mail for each key. */
function send(to: string, text: string, key: string): string {
  return `${key.slice(0, 8)}: ${text} to ${to}`;
}
