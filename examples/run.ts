/**
 * Plays an example against a running cluster: `npm start`, and in another terminal `npm run example payment`.
 *
 * An example is a module with its processes and a `demo`, which tells what happens. The worker and the demo are in one
 * program here; they need not be.
 */
import { createClient, type Client } from "slct/client";
import { worker, type Implementation, type ProcessDefinition } from "slct/sdk";

export interface Example {
  readonly processes: readonly ProcessDefinition<never, unknown>[];
  readonly activities?: readonly Implementation[];
  readonly demo: (client: Client, endpoints: readonly string[]) => AsyncIterable<string>;
}

const local = [8081, 8082, 8083].map((port) => `http://127.0.0.1:${port}`);

async function run(name: string, given: readonly string[]): Promise<void> {
  const endpoints = given.length > 0 ? given : local;
  const { processes, activities = [], demo } = (await import(`./${name}.js`)) as Example;
  const running = worker({ processes, activities, endpoints });
  for await (const line of demo(createClient({ endpoints }), endpoints)) console.log(line);
  await running.stop();
}

const [name, ...endpoints] = process.argv.slice(2);
if (name === undefined || !/^[a-z-]+$/.test(name)) {
  console.error("usage: npm run example <name> [endpoint…], names: docs/sdk/examples.md");
  process.exit(2);
}
await run(name, endpoints);
