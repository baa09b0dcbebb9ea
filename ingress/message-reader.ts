/**
 * Cuts a stream of bytes into messages: each is its length (4 bytes, big-endian) and so many bytes.
 */
import { invariant } from "../src/invariant.js";

const lengthBytes = 4;
/** Both ends are processes of one node: more than this is no message but a mistake. */
const messageBytesMax = 512 * 1024 * 1024;

export class MessageReader {
  /** What has come and is not read, in order; joined once it is a whole message. */
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Of the next message, its length included. */
  #wanted = lengthBytes;

  /** The messages that are complete with `chunk`; they share its memory. */
  *read(chunk: Buffer): Generator<Buffer> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#wanted) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#bytes);
    let at = 0;
    for (;;) {
      this.#wanted = lengthBytes;
      if (bytes.length - at < this.#wanted) break;
      const length = bytes.readUInt32BE(at);
      invariant(length <= messageBytesMax, `a message of ${length} bytes`);
      this.#wanted += length;
      if (bytes.length - at < this.#wanted) break;
      yield bytes.subarray(at + lengthBytes, at + this.#wanted);
      at += this.#wanted;
    }
    this.#chunks = at < bytes.length ? [bytes.subarray(at)] : [];
    this.#bytes = bytes.length - at;
  }
}
