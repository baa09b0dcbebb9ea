/**
 * Calls between two processes of one node, in both directions over one stream.
 *
 * A message is its length (4 bytes, big-endian) and one msgpack array. What is said in one turn of the event loop leaves in
 * one write, so under load the cost of a system call is shared by many. Bytes stay bytes: nothing of the user is parsed.
 */
import type { Duplex } from "node:stream";
import { decode, encode } from "../src/codec.js";
import { SlctError } from "../src/errors.js";
import { InvariantError } from "../src/invariant.js";
import { failureOf, toError, type Failure } from "./failure.js";
import { MessageReader } from "./message-reader.js";

/** Calls by name, as the side that answers them has them. They end early when the caller lets go of them. */
export type Calls = { readonly [name: string]: (...args: never[]) => unknown };

/** What answers the calls of the other side. Its first argument is the call itself. */
export type Answers<T extends Calls> = {
  readonly [K in keyof T]: (call: Incoming, ...args: Parameters<T[K]>) => Promise<ReturnType<T[K]>>;
};

/** A call of the other side, as long as it is not answered. */
export class Incoming {
  #controller: AbortController | undefined;
  #aborted = false;

  /** Aborts when the caller let go, or is gone. */
  get signal(): AbortSignal {
    // Few calls can end early: the others need no controller.
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort();
    return this.#controller.signal;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }
}

/** Calls that wait for an answer. Above what connections, each with one request, can have under way. */
export const callsMax = 20_000;
const queuedBytesMaxDefault = 64 * 1024 * 1024;

type Message =
  | readonly [kind: "call", number: number, name: string, args: readonly unknown[]]
  | readonly [kind: "let go", number: number]
  | readonly [kind: "answer", number: number, value: unknown]
  | readonly [kind: "failure", number: number, failure: Failure];

interface Outgoing {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface LineOptions<Ours extends Calls> {
  readonly answers: Answers<Ours>;
  /** Bytes on their way out; beyond, calls are refused. Default 64 MiB. */
  readonly queuedBytesMax?: number;
  /**
   * Whether nothing is read while more than that of answers are on their way. Only on one side of a line: if both waited,
   * nothing would move.
   */
  readonly holdsBack: boolean;
  /** The other side is gone, or this one closed: nothing is under way any more. */
  readonly onClose: () => void;
}

/** `Theirs`: what may be called on the other side. `Ours`: what it may call here. */
export class Line<Theirs extends Calls, Ours extends Calls> {
  readonly #stream: Duplex;
  readonly #options: LineOptions<Ours>;
  readonly #reader = new MessageReader();
  readonly #outgoing = new Map<number, Outgoing>();
  readonly #incoming = new Map<number, Incoming>();
  #number = 0;
  #corked = false;
  #closed = false;

  constructor(stream: Duplex, options: LineOptions<Ours>) {
    this.#stream = stream;
    this.#options = options;
    stream.on("data", (bytes: Buffer) => this.#onData(bytes));
    stream.on("error", () => this.close());
    stream.on("close", () => this.close());
    stream.on("end", () => this.close());
  }

  /** Calls that are not answered yet, both ways. */
  get underWay(): number {
    return this.#outgoing.size + this.#incoming.size;
  }

  get #isFull(): boolean {
    return this.#stream.writableLength > (this.#options.queuedBytesMax ?? queuedBytesMaxDefault);
  }

  /**
   * When `signal` aborts the other side is told; the answer still comes.
   * @throws SlctError what the other side threw; `overloaded`: it was not asked; `timeout`: the line broke
   */
  call<K extends keyof Theirs & string>(
    name: K,
    args: Parameters<Theirs[K]>,
    signal?: AbortSignal,
  ): Promise<ReturnType<Theirs[K]>> {
    if (this.#closed) return Promise.reject(broken());
    if (this.#outgoing.size >= callsMax || this.#isFull)
      return Promise.reject(new SlctError("overloaded", "too many requests are under way on this node"));
    const number = ++this.#number;
    const answered = new Promise<unknown>((resolve, reject) => this.#outgoing.set(number, { resolve, reject }));
    this.#send(["call", number, name, args]);
    if (signal !== undefined) this.#letGoOn(signal, number, answered);
    return answered as Promise<ReturnType<Theirs[K]>>;
  }

  /** Ends what is under way, both ways. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.destroy();
    for (const { reject } of this.#outgoing.values()) reject(broken());
    this.#outgoing.clear();
    for (const call of this.#incoming.values()) call.abort();
    this.#incoming.clear();
    this.#options.onClose();
  }

  #letGoOn(signal: AbortSignal, number: number, answered: Promise<unknown>): void {
    const letGo = () => this.#send(["let go", number]);
    if (signal.aborted) return letGo();
    signal.addEventListener("abort", letGo, { once: true });
    const forget = () => signal.removeEventListener("abort", letGo);
    void answered.then(forget, forget);
  }

  #send(message: Message): void {
    if (this.#closed) return;
    const body = encode(message);
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(body.length);
    if (!this.#corked) {
      this.#corked = true;
      this.#stream.cork();
      setImmediate(() => {
        this.#corked = false;
        this.#stream.uncork();
      });
    }
    this.#stream.write(length);
    this.#stream.write(body);
    if (!this.#options.holdsBack || !this.#isFull || this.#stream.isPaused()) return;
    this.#stream.pause();
    this.#stream.once("drain", () => this.#stream.resume());
  }

  #onData(bytes: Buffer): void {
    for (const message of this.#reader.read(bytes)) {
      if (this.#closed) return;
      this.#onMessage(decode(message) as Message);
    }
  }

  #onMessage(message: Message): void {
    const [kind, number] = message;
    if (kind === "call") return void this.#answer(number, message[2], message[3]);
    if (kind === "let go") return this.#incoming.get(number)?.abort();
    const outgoing = this.#outgoing.get(number);
    this.#outgoing.delete(number);
    if (kind === "answer") outgoing?.resolve(message[2]);
    else outgoing?.reject(toError(message[2]));
  }

  async #answer(number: number, name: string, args: readonly unknown[]): Promise<void> {
    const call = new Incoming();
    this.#incoming.set(number, call);
    try {
      const answer = this.#options.answers[name] as ((call: Incoming, ...args: unknown[]) => unknown) | undefined;
      if (answer === undefined) throw new InvariantError(`there is no call ${name}`);
      this.#send(["answer", number, await answer(call, ...args)]);
    } catch (error) {
      // As where a request is answered by the process itself: it must not end as somebody's 500.
      if (error instanceof InvariantError) {
        queueMicrotask(() => {
          throw error;
        });
      }
      this.#send(["failure", number, failureOf(error)]);
    } finally {
      this.#incoming.delete(number);
    }
  }
}

/** Whether what was asked happened is not known: as when a connection to the node breaks. */
function broken(): SlctError {
  return new SlctError("timeout", "the process that keeps the records is gone; whether it was done is not known");
}
