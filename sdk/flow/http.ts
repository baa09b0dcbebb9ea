/**
 * A step by HTTP: its input is posted as JSON, what comes back is its response, to the byte.
 *
 * 2xx is an answer. 408, 425, 429 and 5xx are tried again by the policy of the step, everything else is a failure at once.
 */
import { Failure, SlctError } from "../client/errors.js";
import type { StepContext } from "../process/context.js";
import { inputText, type Header, type MessageData, type StepInputData } from "./message.js";

/** As `fetch`. */
export type HttpClient = (url: string, init: RequestInit) => Promise<Response>;

/** Of an answer. */
const bodyBytesMax = 1024 * 1024;
const excerptMax = 200;
/** Headers of a message that are none of a request to somebody else. */
const ofConnections = ["host", "connection", "content-length", "transfer-encoding", "keep-alive", "upgrade", "te"];
const mayChange: ReadonlySet<number> = new Set([408, 425, 429]);

/** @throws Failure `no_client`, `http_status`, `bad_message`; SlctError `bad_answer`, and what `fetch` throws: to be tried again */
export async function post(
  url: string,
  input: StepInputData,
  { idempotencyKey, signal }: StepContext,
  fetch: HttpClient | undefined,
): Promise<MessageData> {
  if (fetch === undefined) {
    throw new Failure(`this worker calls nobody by HTTP: it was made without fetch (${url})`, { code: "no_client" });
  }
  const headers = headersOf(input.request.header, idempotencyKey);
  const response = await fetch(url, { method: "POST", headers, body: inputText(input), signal });
  const text = await textOf(response);
  if (!response.ok) throw refusal(url, response.status, text);
  return { header: Object.fromEntries(response.headers), body: bodyOf(text) };
}

/** Ours come last: a header of the message cannot stand for them. */
function headersOf(header: Header, idempotencyKey: string): Headers {
  try {
    const headers = new Headers(header);
    for (const name of ofConnections) headers.delete(name);
    headers.set("content-type", "application/json");
    headers.set("idempotency-key", idempotencyKey);
    return headers;
  } catch (cause) {
    throw new Failure(`no headers: ${(cause as Error).message}`, { code: "bad_message", cause });
  }
}

/** JSON stays as it is; other text becomes a string of JSON. */
function bodyOf(text: string): string {
  if (text === "") return "null";
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

async function textOf(response: Response): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > bodyBytesMax) {
      await reader.cancel();
      throw new Failure(`an answer has at most ${bodyBytesMax} bytes`, { code: "bad_message" });
    }
    text += decoder.decode(value, { stream: true });
  }
}

function refusal(url: string, status: number, text: string): Error {
  const message = `${url} answered ${status}: ${text.slice(0, excerptMax)}`;
  const details = { Status: status };
  if (status >= 500 || mayChange.has(status)) return new SlctError("bad_answer", message, { status, details });
  return new Failure(message, { code: "http_status", details });
}
