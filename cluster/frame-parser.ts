/**
 * Cuts the byte stream of a link into frames and checks their sums. Linear: every byte is copied at most once, whatever
 * the pieces are.
 *
 * A frame that carries data gets a buffer of exactly its size, because its entries live on; one that does not is handed
 * out as a part of the chunk it came in and must not be kept.
 */
import { crc32 } from "node:zlib";
import { checksumBytes, frameBytesMax, lengthBytes } from "./frames.js";
import { FrameError } from "./msgpack-reader.js";

const headerLengthBytes = 4;
/** All that a frame without a header has after its length. */
const emptyBytes = checksumBytes + headerLengthBytes;

const nothing: Buffer = Buffer.alloc(0);

export class FrameParser {
  #chunk = nothing;
  #at = 0;
  /** The length of the next frame, while its bytes are spread over chunks. */
  readonly #length = Buffer.alloc(lengthBytes);
  #lengthFilled = 0;
  /** The frame under way, while its bytes are spread over chunks. */
  #frame: Buffer | undefined;
  #frameFilled = 0;

  /** Call {@link next} until it has nothing more before the next chunk. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /**
   * The next whole frame without its length and checksum, `"ping"`, or undefined when the chunk is used up.
   * @throws FrameError on a length that no frame has, and on bytes that are not those that were sent
   */
  next(): Buffer | "ping" | undefined {
    const frame = this.#next();
    if (frame === undefined) this.#chunk = nothing;
    return frame === undefined || frame === "ping" ? frame : checked(frame);
  }

  #next(): Buffer | "ping" | undefined {
    if (this.#frame === undefined) {
      const length = this.#readLength();
      if (length === undefined) return undefined;
      if (length === 0) return "ping";
      if (length <= emptyBytes || length > frameBytesMax) throw new FrameError(`frame of ${length} bytes`);
      if (this.#chunk.length - this.#at >= length) return this.#whole(length);
      this.#frame = Buffer.allocUnsafeSlow(length);
      this.#frameFilled = 0;
    }
    const frame = this.#frame;
    const copied = this.#chunk.copy(frame, this.#frameFilled, this.#at);
    this.#at += copied;
    this.#frameFilled += copied;
    if (this.#frameFilled < frame.length) return undefined;
    this.#frame = undefined;
    return frame;
  }

  #readLength(): number | undefined {
    if (this.#lengthFilled === 0 && this.#chunk.length - this.#at >= lengthBytes) {
      const length = this.#chunk.readUInt32BE(this.#at);
      this.#at += lengthBytes;
      return length;
    }
    const copied = this.#chunk.copy(this.#length, this.#lengthFilled, this.#at);
    this.#at += copied;
    this.#lengthFilled += copied;
    if (this.#lengthFilled < lengthBytes) return undefined;
    this.#lengthFilled = 0;
    return this.#length.readUInt32BE(0);
  }

  #whole(length: number): Buffer {
    const bytes = this.#chunk.subarray(this.#at, this.#at + length);
    this.#at += length;
    const carriesData = bytes.readUInt32BE(checksumBytes) + emptyBytes !== length;
    if (!carriesData) return bytes;
    const own = Buffer.allocUnsafeSlow(length);
    bytes.copy(own);
    return own;
  }
}

function checked(frame: Buffer): Buffer {
  const content = frame.subarray(checksumBytes);
  if (crc32(content) !== frame.readUInt32BE(0)) throw new FrameError("the checksum is wrong");
  return content;
}
