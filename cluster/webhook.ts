/**
 * Signs callbacks: the three headers of Standard Webhooks, version 1 (symmetric).
 *
 * A receiver recomputes `HMAC-SHA256(secret, "<id>.<timestamp>.<body>")` and compares it with any of the signatures; the
 * timestamp bounds how long a recorded call can be replayed.
 */
import { createHmac } from "node:crypto";

/** The bytes of `whsec_<base64>`. */
export type WebhookSecret = Buffer;

const secretPrefix = "whsec_";
const secretBytesMin = 24;
const secretBytesMax = 64;

/** @throws Error that does not repeat the secret */
export function parseSecret(text: string): WebhookSecret {
  const base64 = text.startsWith(secretPrefix) ? text.slice(secretPrefix.length) : "";
  const bytes = Buffer.from(base64, "base64");
  const isExact = /^[A-Za-z0-9+/]+={0,2}$/.test(base64);
  if (!isExact || bytes.length < secretBytesMin || bytes.length > secretBytesMax) {
    throw new Error(
      `a webhook secret is ${secretPrefix} and the base64 of ${secretBytesMin} to ${secretBytesMax} bytes`,
    );
  }
  return bytes;
}

/**
 * Names one hand-out: the same for a repetition of the call, another for the next attempt. The state ID is
 * percent-encoded, the dot too: dots separate what is signed.
 */
export function webhookId(stateId: string, version: number): string {
  const safe = encodeURIComponent(Buffer.from(stateId).toString("utf8"));
  return `${safe.replaceAll(".", "%2E")}:${version}`;
}

/** Without secrets the call is not signed. More than one: all signatures are offered, the first secret's first. */
export function webhookHeaders(call: {
  readonly id: string;
  readonly atMs: number;
  readonly body: Buffer;
  readonly secrets: readonly WebhookSecret[];
}): Record<string, string> {
  const timestamp = String(Math.floor(call.atMs / 1000));
  const headers = { "webhook-id": call.id, "webhook-timestamp": timestamp };
  if (call.secrets.length === 0) return headers;
  const signatures = call.secrets.map((secret) => {
    const hmac = createHmac("sha256", secret).update(`${call.id}.${timestamp}.`).update(call.body);
    return `v1,${hmac.digest("base64")}`;
  });
  return { ...headers, "webhook-signature": signatures.join(" ") };
}
