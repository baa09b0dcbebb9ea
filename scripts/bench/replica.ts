/**
 * One of three nodes of the plainest replicated store there is, as a program: `node replica.js FILE HTTP LEADER [leader]`.
 *
 * It does what any such store has to do and nothing else: takes JSON over HTTP, sums it, sends it to the leader, which writes
 * and syncs batches while a follower does, and answers. No elections, no log that could be read, no semantics. It is the
 * yardstick of the regression guard: whatever slows down the machine slows it down in the same way.
 */
import { open, type FileHandle } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { connect, createServer as createPeerServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { crc32 } from "node:zlib";
import { loopback } from "../free-ports.js";

interface Proposal {
  readonly id: number;
  readonly sum: number;
  readonly record: unknown;
}

/** One line of JSON each. */
type Message =
  | { readonly kind: "propose"; readonly proposal: Proposal }
  | { readonly kind: "batch"; readonly number: number; readonly records: readonly unknown[] }
  | { readonly kind: "stored"; readonly number: number }
  | { readonly kind: "committed"; readonly ids: readonly number[] };

const fileBytes = 16 * 2 ** 20;

/** Overwrites one file from the start again and again: a log whose segments are recycled. */
class Disk {
  readonly #file: FileHandle;
  #at = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<Disk> {
    const file = await open(path, "w");
    await file.write(Buffer.alloc(fileBytes));
    await file.datasync();
    return new Disk(file);
  }

  async append(records: readonly unknown[]): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(records));
    if (this.#at + bytes.length > fileBytes) this.#at = 0;
    await this.#file.write(bytes, 0, bytes.length, this.#at);
    await this.#file.datasync();
    this.#at += bytes.length;
  }
}

function send(socket: Socket, message: Message): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

function listen(socket: Socket, onMessage: (message: Message) => void): void {
  socket.setNoDelay(true);
  socket.on("error", () => process.exit(1));
  createInterface({ input: socket }).on("line", (line) => onMessage(JSON.parse(line) as Message));
}

interface Waiting {
  readonly proposal: Proposal;
  readonly commit: (id: number) => void;
}

/** @returns takes a proposal of this node */
async function lead(disk: Disk, port: number): Promise<(one: Waiting) => void> {
  let queue: Waiting[] = [];
  let isBusy = false;
  let number = 0;
  let onStored: ((number: number) => void) | undefined;
  const sockets: Socket[] = [];
  const work = async (): Promise<void> => {
    isBusy = true;
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      number++;
      const records = batch.map(({ proposal }) => proposal.record);
      const onFollower = new Promise<void>((resolve) => {
        onStored = (stored) => (stored === number ? resolve() : undefined);
      });
      for (const socket of sockets) send(socket, { kind: "batch", number, records });
      await Promise.all([disk.append(records), onFollower]);
      for (const { proposal, commit } of batch) commit(proposal.id);
    }
    isBusy = false;
  };
  const take = (one: Waiting): void => {
    queue.push(one);
    if (!isBusy) void work();
  };
  const server = createPeerServer((socket) => {
    sockets.push(socket);
    const commit = (id: number) => send(socket, { kind: "committed", ids: [id] });
    listen(socket, (message) => {
      if (message.kind === "propose") take({ proposal: message.proposal, commit });
      if (message.kind === "stored") onStored?.(message.number);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, loopback, resolve));
  process.send?.("ready");
  return take;
}

/** @returns takes a proposal of this node */
function follow(disk: Disk, port: number): (one: Waiting) => void {
  const waiting = new Map<number, (id: number) => void>();
  // The leader listens: it was started first.
  const socket = connect(port, loopback);
  let last: Promise<void> = Promise.resolve();
  listen(socket, (message) => {
    if (message.kind === "batch")
      last = last
        .then(() => disk.append(message.records))
        .then(() => send(socket, { kind: "stored", number: message.number }));
    if (message.kind === "committed")
      for (const id of message.ids) {
        waiting.get(id)?.(id);
        waiting.delete(id);
      }
  });
  socket.once("connect", () => process.send?.("ready"));
  return ({ proposal, commit }) => {
    waiting.set(proposal.id, commit);
    send(socket, { kind: "propose", proposal });
  };
}

function serve(port: number, take: (one: Waiting) => void): void {
  let ids = 0;
  const answer = (response: ServerResponse, url: string) => () => {
    const text = JSON.stringify({ ID: url.slice(url.lastIndexOf("/") + 1), Status: "waiting" });
    response.writeHead(201, { "content-type": "application/json", "content-length": text.length }).end(text);
  };
  createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const proposal = { id: ids++, sum: crc32(body), record: JSON.parse(body.toString()) as unknown };
      take({ proposal, commit: answer(response, request.url ?? "") });
    });
  }).listen(port, loopback);
}

const [file = "", http = "", leader = "", role = ""] = process.argv.slice(2);
const disk = await Disk.open(file);
serve(Number(http), role === "leader" ? await lead(disk, Number(leader)) : follow(disk, Number(leader)));
// The parent is gone: nobody asks any more.
process.once("disconnect", () => process.exit(0));
