/**
 * A handler for `Request` as one for `node:http`, and with it for express and everything that is built on it.
 *
 * The body must not have been read before: signatures are over its bytes. Boundary: types of its own, no import of Node.
 */
import type { Handler } from "./serve.js";

/** What is needed of `http.IncomingMessage`. */
export interface NodeRequest extends AsyncIterable<Uint8Array> {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
}

/** What is needed of `http.ServerResponse`. */
export interface NodeResponse {
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body?: string): unknown;
}

/** The service sends no more. */
const bytesMax = 8 * 1024 * 1024;

/**
 * A handler for `node:http` and express: `http.createServer(nodeHandler(serve({ … })))`, `app.post("/slct", nodeHandler(…))`.
 * Bodies of more than 8 MiB are answered 413.
 */
export function nodeHandler(handler: Handler): (req: NodeRequest, res: NodeResponse) => void {
  return (req, res) => {
    answer(handler, req, res).catch(() => {
      res.writeHead(500, {});
      res.end();
    });
  };
}

async function answer(handler: Handler, req: NodeRequest, res: NodeResponse): Promise<void> {
  const { method = "GET", url = "/", headers } = req;
  const decoder = new TextDecoder();
  let body = "";
  let bytes = 0;
  for await (const chunk of req) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      res.writeHead(413, { connection: "close" });
      return void res.end();
    }
    body += decoder.decode(chunk, { stream: true });
  }
  body += decoder.decode();
  const list = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value ?? "")]);
  const init = { method, headers: list, ...(method !== "GET" && method !== "HEAD" && { body }) };
  const response = await handler(new Request(new URL(url, "http://localhost"), init));
  res.writeHead(response.status, Object.fromEntries(response.headers));
  res.end(await response.text());
}
