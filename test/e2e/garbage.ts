/**
 * Bytes that mean nothing, the same ones in every run, and sockets to throw them at a port.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";

/** @returns `length` bytes that depend on nothing but `name` */
export function garbage(name: string, length: number): Buffer {
  if (length === 0) return Buffer.alloc(0);
  return createHash("shake256", { outputLength: length }).update(name).digest();
}

/** The first bytes of a message, then something else, or one byte of it changed, or nothing after a part of it. */
export function damaged(message: string, name: string): Buffer {
  const [kind = 0, high = 0, low = 0, byte = 0] = garbage(`${name} choice`, 4);
  const bytes = Buffer.from(message, "latin1");
  const at = (high * 256 + low) % bytes.length;
  if (kind % 3 === 0) return bytes.subarray(0, at);
  if (kind % 3 === 1) return Buffer.concat([bytes.subarray(0, at), garbage(name, 200)]);
  bytes[at] = byte;
  return bytes;
}

/** Sends it and reads, whatever comes, until the server closes; `half`: ours is closed at once. */
export async function throwAt(port: number, bytes: Buffer, half: boolean): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  if (half) socket.end(bytes);
  else socket.write(bytes);
  await once(socket, "close");
}
