/**
 * Where a process lives: the ID of its state and the channels that belong to it.
 *
 * `order` under the key `17` is the state `order/17`; its result is the closed channel `order/17/result`, and who closes
 * `order/17/cancel` cancels it. Anybody may, in any language.
 */
import { SlctError } from "./errors.js";

/** Room for the names of its channels, which have 256 bytes at most. */
const idBytesMax = 180;
const encoder = new TextEncoder();
const processName = /^[A-Za-z0-9_.-]+$/;

/** @throws SlctError `bad_id` */
export function processId(name: string, key: string): string {
  checkProcessName(name);
  const id = `${name}/${key}`;
  if (key === "" || encoder.encode(id).length > idBytesMax) {
    throw new SlctError(
      "bad_id",
      `the ID of a process has a key and at most ${idBytesMax} bytes: ${JSON.stringify(id)}`,
    );
  }
  return id;
}

/** Letters, digits, `_`, `-` and `.`: the rest of an ID is its key. @throws SlctError `bad_id` */
export function checkProcessName(name: string): void {
  if (!processName.test(name)) throw new SlctError("bad_id", `not a name of a process: ${JSON.stringify(name)}`);
}

/** All states of a process have this prefix. */
export function prefixOf(name: string): string {
  return `${name}/`;
}

export function resultChannel(id: string): string {
  return `${id}/result`;
}

/** Where an object receives its messages. */
export function inboxChannel(id: string): string {
  return `${id}/in`;
}

/** Where whoever has the token of a pending activity says that it is alive. */
export function heartbeatChannel(token: string): string {
  return `${token}/heartbeat`;
}

/** What a channel of a process is called behind the process' ID. */
const own = /^(.+)\/(?:result|cancel|in|c\/[\d.@]+|p\/[\d.@]+\/[0-9a-f]{32}(?:\/heartbeat)?)$/;

/** The process that this channel belongs to, if it is called like one of a process. */
export function ownerOf(chan: string): string | undefined {
  return own.exec(chan)?.[1];
}

export function cancelChannel(id: string): string {
  return `${id}/cancel`;
}
