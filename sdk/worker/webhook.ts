/**
 * Checks that a call comes from the service: Standard Webhooks, version 1.
 *
 * Source: https://www.standardwebhooks.com: HMAC-SHA256 over `id.timestamp.body`, any of several signatures and secrets.
 */
import { SlctError } from "../client/errors.js";

/** Calls that are older, or newer, than this are refused, ms. */
const toleranceMs = 5 * 60_000;
const prefix = "whsec_";
const algorithm = { name: "HMAC", hash: "SHA-256" } as const;

type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

export type Verifier = (headers: Headers, body: string, nowMs: number) => Promise<void>;

/**
 * @param secrets `whsec_<base64>`; while a secret is replaced, the old one and the new one
 * @returns a check that throws SlctError `unauthorized`
 * @throws SlctError `bad_request` for what is no secret
 */
export function verifier(secrets: readonly string[]): Verifier {
  const bytes = secrets.map(parseSecret);
  let imported: Promise<Key[]> | undefined;
  return async (headers, body, nowMs) => {
    const [id, timestamp, signatures] = ["id", "timestamp", "signature"].map((name) => headers.get(`webhook-${name}`));
    if (id == null || timestamp == null || signatures == null) throw refused("the call is not signed");
    if (!(Math.abs(nowMs - Number(timestamp) * 1000) <= toleranceMs)) throw refused("the call is not of this time");
    const keys = await (imported ??= Promise.all(bytes.map(importKey)));
    const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
    for (const signature of signatures.split(" ")) {
      const bytes = signature.startsWith("v1,") ? bytesOf(signature.slice(3)) : undefined;
      if (bytes === undefined) continue;
      for (const key of keys) if (await crypto.subtle.verify(algorithm, key, bytes, signed)) return;
    }
    throw refused("the signature is not right");
  };
}

function parseSecret(secret: string): Uint8Array<ArrayBuffer> {
  const bytes = secret.startsWith(prefix) ? bytesOf(secret.slice(prefix.length)) : undefined;
  if (bytes?.length) return bytes;
  throw new SlctError("bad_request", `a webhook secret is ${prefix} and base64`);
}

function importKey(bytes: Uint8Array<ArrayBuffer>): Promise<Key> {
  return crypto.subtle.importKey("raw", bytes, algorithm, false, ["verify"]);
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function refused(message: string): SlctError {
  return new SlctError("unauthorized", message, { status: 401 });
}
