/**
 * Reads the msgpack of peer frames, one expected type at a time.
 *
 * A general decoder builds whatever the bytes ask for; this one knows only what a frame can hold (unsigned integers,
 * strings, booleans, nil, arrays) and refuses the rest: maps, binaries, extensions, negative and unsafe integers.
 * Source: reliability 0.6 and S5. The writing side is the ordinary encoder of src/codec.ts.
 */
import { isUtf8 } from "node:buffer";

/** The bytes are not a frame. The link they came from is closed. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

const isAscii = /^[\x20-\x7e]*$/;

export class MsgpackReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** A safe integer, 0 ≤ n ≤ max. */
  uint(max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#number();
    if (!Number.isSafeInteger(value) || value < 0 || value > max || Object.is(value, -0)) {
      throw new FrameError(`integer out of range: ${value}`);
    }
    return value;
  }

  /** A finite number that is not negative. */
  float(): number {
    const value = this.#number();
    if (!Number.isFinite(value) || value < 0) throw new FrameError(`number out of range: ${value}`);
    return value;
  }

  bool(): boolean {
    const byte = this.#byte();
    if (byte === 0xc2) return false;
    if (byte === 0xc3) return true;
    throw unexpected("a boolean", byte);
  }

  /** At most `bytesMax` bytes of valid UTF-8. */
  string(bytesMax: number): string {
    const byte = this.#byte();
    let length: number;
    if (byte >= 0xa0 && byte <= 0xbf) length = byte & 0x1f;
    else if (byte === 0xd9) length = this.#byte();
    else if (byte === 0xda) length = this.#bytes.readUInt16BE(this.#skip(2));
    else throw unexpected("a string", byte);
    if (length > bytesMax) throw new FrameError(`string of ${length} bytes`);
    const from = this.#skip(length);
    const text = this.#bytes.toString("latin1", from, this.#at);
    // Node ids are ASCII nearly always, and then both encodings agree.
    if (isAscii.test(text)) return text;
    const bytes = this.#bytes.subarray(from, this.#at);
    if (!isUtf8(bytes)) throw new FrameError("string is not UTF-8");
    return bytes.toString("utf8");
  }

  /** True, and past it, if nil comes next. */
  nil(): boolean {
    if (this.#bytes[this.#at] !== 0xc0) return false;
    this.#at++;
    return true;
  }

  /** Opens an array; returns how many elements follow. */
  array(max: number): number {
    const byte = this.#byte();
    let length: number;
    if (byte >= 0x90 && byte <= 0x9f) length = byte & 0x0f;
    else if (byte === 0xdc) length = this.#bytes.readUInt16BE(this.#skip(2));
    else if (byte === 0xdd) length = this.#bytes.readUInt32BE(this.#skip(4));
    else throw unexpected("an array", byte);
    // Each element takes a byte at least: a length that cannot be true is refused before anything is made of it.
    if (length > max || length > this.#bytes.length - this.#at) throw new FrameError(`array of ${length}`);
    return length;
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new FrameError(`${this.#bytes.length - this.#at} bytes too many`);
  }

  #number(): number {
    const byte = this.#byte();
    if (byte <= 0x7f) return byte;
    switch (byte) {
      case 0xcc:
        return this.#byte();
      case 0xcd:
        return this.#bytes.readUInt16BE(this.#skip(2));
      case 0xce:
        return this.#bytes.readUInt32BE(this.#skip(4));
      // Integers beyond 32 bits are written as doubles.
      case 0xcb:
        return this.#bytes.readDoubleBE(this.#skip(8));
      default:
        throw unexpected("a number", byte);
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new FrameError("the header ends too early");
    this.#at++;
    return byte;
  }

  /** Goes past `length` bytes and returns where they begin. */
  #skip(length: number): number {
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new FrameError("the header ends too early");
    return from;
  }
}

function unexpected(wanted: string, byte: number): FrameError {
  return new FrameError(`expected ${wanted}, found 0x${byte.toString(16)}`);
}
