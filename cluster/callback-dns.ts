/**
 * Resolves the hosts of callbacks without standing in the way of the disk.
 *
 * `getaddrinfo` occupies a thread of the pool that also writes the log; a name server that does not answer would stop
 * the node. So names are asked of the name servers directly, and only what they do not know goes through `getaddrinfo`
 * (hosts file, local services), one name at a time.
 */
import { lookup, Resolver } from "node:dns/promises";
import { isLocalName } from "./callback-guard.js";

/** @throws Error with a `code` of node:dns when there is no address */
export type Resolve = (host: string) => Promise<readonly string[]>;

const defaultTimeoutMs = 2000;
const tries = 2;
/** Names that wait for `getaddrinfo`; beyond it they fail. */
const queueMax = 32;

export interface ResolveOptions {
  /** Name servers, `ip:port`; the system's if absent. */
  readonly servers?: readonly string[];
  /** Of one question; it is asked twice. */
  readonly timeoutMs?: number;
}

export function createResolve(options: ResolveOptions = {}): Resolve {
  const servers = new Resolver({ timeout: options.timeoutMs ?? defaultTimeoutMs, tries });
  if (options.servers !== undefined) servers.setServers(options.servers);
  let last: Promise<unknown> = Promise.resolve();
  let queued = 0;

  const viaSystem = async (host: string): Promise<readonly string[]> => {
    if (queued >= queueMax) throw Object.assign(new Error("too many names to resolve"), { code: "EAI_AGAIN" });
    queued++;
    const turn = last.then(() => lookup(host, { all: true, verbatim: true }));
    last = turn.catch(() => undefined).finally(() => queued--);
    return (await turn).map(({ address }) => address);
  };

  return async (host) => {
    if (isLocalName(host)) return ["127.0.0.1", "::1"];
    const answers = await Promise.allSettled([servers.resolve4(host), servers.resolve6(host)]);
    const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    if (found.length > 0) return found;
    const timedOut = answers.find((answer) => answer.status === "rejected" && isTimeout(answer.reason));
    if (timedOut?.status === "rejected") throw timedOut.reason;
    return viaSystem(host);
  };
}

function isTimeout(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ETIMEOUT";
}
