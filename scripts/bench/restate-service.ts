/**
 * The service that Restate calls, as a program: `node restate-service.js SDK PORT`. SDK is where its package is.
 *
 * One handler for each row. The awakeable's ID goes to whoever resolves it over the channel to the parent process, for free.
 */
import { pathToFileURL } from "node:url";

interface Context {
  awakeable(): { readonly id: string; readonly promise: Promise<unknown> };
  sleep(ms: number): Promise<void>;
  readonly key: string;
  get(name: string): Promise<unknown>;
  set(name: string, value: unknown): void;
}

type Handler = (context: Context, input: { readonly key: string; readonly data?: string }) => Promise<unknown>;
type Handlers = Readonly<Record<string, Handler>>;

interface Sdk {
  readonly service: (definition: { readonly name: string; readonly handlers: Handlers }) => unknown;
  readonly object: (definition: { readonly name: string; readonly handlers: Handlers }) => unknown;
  readonly serve: (options: { readonly services: readonly unknown[]; readonly port: number }) => Promise<number>;
}

export interface Awaiting {
  readonly key: string;
  readonly awakeable: string;
}

const sleepMs = 100;

const handlers: Handlers = {
  pair: async (context, { key }) => {
    const { id, promise } = context.awakeable();
    process.send?.({ key, awakeable: id } satisfies Awaiting);
    return await promise;
  },
  nap: async (context, { key }) => {
    await context.sleep(sleepMs);
    return key;
  },
};

const objectHandlers: Handlers = {
  step: async (context, { data }) => {
    const before = (await context.get("data")) as string | null;
    context.set("data", data);
    return before?.length ?? 0;
  },
};

// Of Node 22, and all that the SDK needs of it.
const promise = Promise as unknown as { withResolvers?: () => unknown };
promise.withResolvers ??= () => {
  let settle = {};
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
};

const [sdkFile = "", port = ""] = process.argv.slice(2);
const { service, object, serve } = (await import(pathToFileURL(sdkFile).href)) as Sdk;
await serve({
  services: [service({ name: "bench", handlers }), object({ name: "store", handlers: objectHandlers })],
  port: Number(port),
});
process.send?.("ready");
// The parent is gone: nobody asks any more.
process.once("disconnect", () => process.exit(0));
