/**
 * A process that looks after others: deletes, day by day, what those that are forgotten have left behind.
 */
import type { Client } from "../client.js";
import type { Duration } from "../client/duration.js";
import { process, type ProcessDefinition } from "../process/definition.js";

/**
 * A process that deletes, day by day, the idle channels that forgotten processes of these names have left behind.
 * ```ts
 * const collecting = collector(client);
 * worker({ processes: [order, collecting], client });
 * await client.start(collecting, ["order"], { id: "orders" });
 * ```
 * @param every pause between two rounds; default one day
 */
export function collector(
  client: Pick<Client, "collect">,
  { every = "1 day" }: { readonly every?: Duration } = {},
): ProcessDefinition<readonly string[], never> {
  return process("collector", { version: 1 }, (p, names: readonly string[]) =>
    p.loop<number, never>(0, async (before, p) => {
      await p.sleep(every);
      let deleted = before;
      for (const name of names) {
        deleted += await p.step(`collect ${name}`, (step) =>
          client.collect(name, { signal: step.signal, onProgress: (looked) => step.heartbeat(looked) }),
        );
      }
      p.vars["deleted"] = deleted;
      return deleted;
    }),
  );
}
