/**
 * How the `Data` and the result of a process are written: as they are, or packed, or encrypted.
 *
 * The service never looks into them. Whatever a codec writes is an envelope that names it, so states written without it,
 * or with another one, can still be read by whoever has that one too. `Vars` stay readable: that is what they are for.
 */
import type { Json } from "../../api/contract.js";
import { SlctError } from "./errors.js";

/** How `Data` and results of processes are written: JSON text to bytes, and back. `encode` and `decode` may throw. */
export interface Codec {
  /** Stands in every envelope. */
  readonly name: string;
  readonly encode: (text: string) => Promise<Uint8Array> | Uint8Array;
  readonly decode: (bytes: Uint8Array) => Promise<string> | string;
}

interface Envelope {
  readonly codec: string;
  /** Base64. */
  readonly bytes: string;
}

/** The first one writes, all of them read; without any, plain JSON. */
export type Codecs = readonly Codec[];

const ivBytes = 12;

export function codecList(codec: Codec | Codecs | undefined): Codecs {
  if (codec === undefined) return [];
  return "encode" in codec ? [codec] : codec;
}

export async function encode(codecs: Codecs, value: object): Promise<object> {
  const [codec] = codecs;
  if (codec === undefined) return value;
  const bytes = await codec.encode(JSON.stringify(value));
  return { codec: codec.name, bytes: toBase64(bytes) } satisfies Envelope;
}

/** @throws SlctError `bad_answer` when none of `codecs` wrote it */
export async function decode(codecs: Codecs, value: Json | undefined): Promise<Json | undefined> {
  if (!isEnvelope(value)) return value;
  const codec = codecs.find(({ name }) => name === value.codec);
  if (codec === undefined) throw new SlctError("bad_answer", `nothing here reads what the codec ${value.codec} wrote`);
  return JSON.parse(await codec.decode(fromBase64(value.bytes))) as Json;
}

/**
 * AES-GCM with a key of 128 or 256 bits, by WebCrypto. For a rotation give several codecs with keys of different names.
 * @param key 16 or 32 raw bytes
 * @param keyName stands in every envelope, behind `aes-gcm:`
 */
export function encrypted(key: Uint8Array<ArrayBuffer>, keyName = "1"): Codec {
  const algorithm = "AES-GCM";
  let imported: ReturnType<typeof crypto.subtle.importKey> | undefined;
  const cryptoKey = () => (imported ??= crypto.subtle.importKey("raw", key, algorithm, false, ["encrypt", "decrypt"]));
  return {
    name: `aes-gcm:${keyName}`,
    async encode(text) {
      const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
      const data = new TextEncoder().encode(text);
      const sealed = await crypto.subtle.encrypt({ name: algorithm, iv }, await cryptoKey(), data);
      const bytes = new Uint8Array(ivBytes + sealed.byteLength);
      bytes.set(iv);
      bytes.set(new Uint8Array(sealed), ivBytes);
      return bytes;
    },
    async decode(bytes) {
      const own = new Uint8Array(bytes);
      const params = { name: algorithm, iv: own.subarray(0, ivBytes) };
      const opened = await crypto.subtle.decrypt(params, await cryptoKey(), own.subarray(ivBytes));
      return new TextDecoder().decode(opened);
    },
  };
}

/** Any library that packs values into bytes: `packed("msgpack", msgpackr)`. */
export function packed(
  name: string,
  library: { readonly pack: (value: unknown) => Uint8Array; readonly unpack: (bytes: Uint8Array) => unknown },
): Codec {
  return {
    name,
    encode: (text) => library.pack(JSON.parse(text)),
    decode: (bytes) => JSON.stringify(library.unpack(bytes)),
  };
}

function isEnvelope(value: Json | undefined): value is Json & Envelope {
  return (
    typeof value === "object" &&
    value !== null &&
    "codec" in value &&
    typeof value.codec === "string" &&
    "bytes" in value &&
    typeof value.bytes === "string"
  );
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  const chunk = 0x8000;
  for (let at = 0; at < bytes.length; at += chunk) binary += String.fromCharCode(...bytes.subarray(at, at + chunk));
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
