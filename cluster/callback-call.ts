/**
 * One callback: one POST, one answer, within limits of time and size whatever the other side does.
 *
 * No redirects, no proxies, no decompression. The connection goes to an address that the guard has passed, at every
 * call. Whatever goes wrong is a result, in words of our own: nothing of the answer or of the network behind it is shown
 * to the owner of the state. Source: reliability C2–C5, C7, C11, 0.7.
 */
import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP, type LookupFunction, type Socket } from "node:net";
import { SlctError } from "../src/errors.js";
import type { Resolve } from "./callback-dns.js";
import { checkCallbackUrl, checkResolved, bareHost, hostOf, type CallbackAllow } from "./callback-guard.js";
import { failureText, readRetryAfter } from "./callback-failure.js";

export type CallResult =
  /** 200 with a body. */
  | { readonly kind: "state"; readonly body: Buffer }
  /** 202, 204: the receiver will put the state back itself. */
  | { readonly kind: "accepted" }
  /** 410. */
  | { readonly kind: "gone" }
  /** `unreachable`: it never came to an answer, or the answer says that the whole host is overloaded. */
  | {
      readonly kind: "failed";
      readonly error: string;
      readonly unreachable: boolean;
      readonly retryAfterMs?: number;
    };

export interface CallerOptions {
  readonly allow: CallbackAllow;
  readonly resolve: Resolve;
  /** From the start of the call to the last byte of the answer. */
  readonly timeoutMs: number;
  readonly responseBytesMax: number;
  /** Connections to one host. */
  readonly socketsPerHost: number;
  readonly now: () => number;
  /** Until the connection stands, and between two pieces of an answer's body. */
  readonly connectMs?: number;
  readonly idleMs?: number;
}

export interface Call {
  readonly uri: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly signal: AbortSignal;
}

const defaultConnectMs = 5000;
const defaultIdleMs = 5000;
/** Connections that nobody uses are kept this long. */
const keepMs = 4000;
const headerBytesMax = 16 * 1024;
const overloadStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export class Caller {
  readonly #options: CallerOptions;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;
  readonly #lookup: LookupFunction;

  constructor(options: CallerOptions) {
    this.#options = options;
    const agent = { keepAlive: true, maxSockets: options.socketsPerHost, maxFreeSockets: 2, timeout: keepMs };
    this.#lookup = createLookup(options);
    this.#http = new HttpAgent(agent);
    this.#https = new HttpsAgent(agent);
  }

  /** Never rejects. */
  async call(call: Call): Promise<CallResult> {
    let url: URL;
    try {
      url = checkCallbackUrl(call.uri, this.#options.allow);
    } catch (error) {
      if (!(error instanceof SlctError)) throw error;
      return { kind: "failed", error: `${error.code}: ${error.message}`, unreachable: false };
    }
    const first = await this.#attempt(url, call, { fresh: false });
    // The other side closed an idle connection just as it was taken: nothing of the request was looked at.
    return first === "stale" ? this.#attempt(url, call, { fresh: true }) : first;
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #attempt(url: URL, call: Call, how: { readonly fresh: true }): Promise<CallResult>;
  #attempt(url: URL, call: Call, how: { readonly fresh: boolean }): Promise<CallResult | "stale">;
  #attempt(url: URL, call: Call, how: { readonly fresh: boolean }): Promise<CallResult | "stale"> {
    return new Promise((resolve) => {
      const request = this.#request(url, call, how.fresh);
      const onAbort = () => exchange.fail("ESHUTDOWN");
      const exchange = new Exchange(request, url, this.#options, (result) => {
        call.signal.removeEventListener("abort", onAbort);
        resolve(result);
      });
      call.signal.addEventListener("abort", onAbort, { once: true });
      if (call.signal.aborted) onAbort();
      else exchange.start(call.body);
    });
  }

  #request(url: URL, { headers, body }: Call, fresh: boolean): ClientRequest {
    const options = {
      method: "POST",
      maxHeaderSize: headerBytesMax,
      lookup: this.#lookup,
      headers: {
        ...headers,
        "content-type": "application/json",
        "content-length": body.length,
        accept: "application/json",
        "accept-encoding": "identity",
        "user-agent": "slct",
      },
    };
    return url.protocol === "https:"
      ? httpsRequest(url, { ...options, agent: fresh ? false : this.#https })
      : httpRequest(url, { ...options, agent: fresh ? false : this.#http });
  }
}

/** Follows one request to its result; the first result counts, and ends everything that is still open. */
class Exchange {
  readonly #request: ClientRequest;
  readonly #url: URL;
  readonly #options: CallerOptions;
  readonly #done: (result: CallResult | "stale") => void;
  readonly #deadline: NodeJS.Timeout;
  readonly #connecting: NodeJS.Timeout;
  #response: IncomingMessage | undefined;
  #over = false;

  constructor(request: ClientRequest, url: URL, options: CallerOptions, done: (result: CallResult | "stale") => void) {
    this.#request = request;
    this.#url = url;
    this.#options = options;
    this.#done = done;
    this.#deadline = setTimeout(() => this.fail("EDEADLINE"), options.timeoutMs);
    this.#connecting = setTimeout(() => this.fail("ECONNECT"), options.connectMs ?? defaultConnectMs);
    request.on("error", (error: NodeJS.ErrnoException) => {
      const wasIdle = request.reusedSocket && this.#response === undefined;
      if (wasIdle && (error.code === "ECONNRESET" || error.code === "EPIPE")) this.#finish("stale");
      else this.#failWith(error);
    });
    request.on("close", () => {
      if (this.#response === undefined) this.fail("ECONNRESET");
    });
  }

  start(body: Buffer): void {
    this.#request.on("response", (response) => this.#onResponse(response));
    this.#request.on("socket", (socket) => this.#onSocket(socket, body));
  }

  fail(code: string): void {
    this.#failWith(Object.assign(new Error(code), { code }));
  }

  /** Nothing is written before it is certain whom it would reach. */
  #onSocket(socket: Socket, body: Buffer): void {
    const url = this.#url;
    const send = () => {
      if (this.#over) return;
      clearTimeout(this.#connecting);
      try {
        if (!this.#request.reusedSocket) checkResolved(hostOf(url), [socket.remoteAddress ?? ""], this.#options.allow);
      } catch (error) {
        return this.#failWith(error);
      }
      this.#request.end(body);
    };
    if (!socket.connecting && this.#request.reusedSocket) send();
    else socket.once(url.protocol === "https:" ? "secureConnect" : "connect", send);
  }

  #onResponse(response: IncomingMessage): void {
    this.#response = response;
    const status = response.statusCode ?? 0;
    if (status === 200) return this.#read(response);
    if (status === 202 || status === 204) return this.#finish({ kind: "accepted" });
    if (status === 410) return this.#finish({ kind: "gone" });
    const retryAfterMs = readRetryAfter(response.headers["retry-after"], this.#options.now());
    this.#finish({
      kind: "failed",
      error: status >= 300 && status < 400 ? `answered ${status}: redirects are not followed` : `answered ${status}`,
      unreachable: overloadStatuses.has(status),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }

  #read(response: IncomingMessage): void {
    const { responseBytesMax, idleMs = defaultIdleMs } = this.#options;
    const encoding = response.headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") return this.fail("EENCODING");
    if (Number(response.headers["content-length"] ?? 0) > responseBytesMax) return this.fail("ETOOLARGE");
    const idle = setTimeout(() => this.fail("EIDLE"), idleMs);
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      idle.refresh();
      bytes += chunk.length;
      if (bytes > responseBytesMax) this.fail("ETOOLARGE");
      else chunks.push(chunk);
    });
    response.on("error", (error) => this.#failWith(error));
    response.on("close", () => {
      clearTimeout(idle);
      if (!response.complete) return this.fail("ECONNRESET");
      if (bytes === 0) return this.fail("EEMPTY");
      this.#finish({ kind: "state", body: Buffer.concat(chunks, bytes) });
    });
  }

  #failWith(error: unknown): void {
    this.#finish({ kind: "failed", ...failureText(error) });
  }

  #finish(result: CallResult | "stale"): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#connecting);
    clearTimeout(this.#deadline);
    // An answer without a body leaves the connection for the next call; anything longer is not waited for.
    const isShort = this.#response?.headers["content-length"] === "0" || this.#response?.statusCode === 204;
    if (isShort) this.#response?.resume();
    else if (result === "stale" || result.kind !== "state") this.#request.destroy();
    this.#done(result);
  }
}

/** What a connection asks for the addresses of its host: only a host that passes as a whole has any. */
function createLookup({ resolve, allow }: CallerOptions): LookupFunction {
  return (host, options, callback) => {
    resolve(bareHost(host))
      .then((addresses) => {
        checkResolved(host, addresses, allow);
        const found = addresses.map((address) => ({ address, family: isIP(address) }));
        const [first] = found;
        if (options.all) callback(null, found);
        else if (first !== undefined) callback(null, first.address, first.family);
      })
      .catch((error: unknown) => callback(error as NodeJS.ErrnoException, []));
  };
}
