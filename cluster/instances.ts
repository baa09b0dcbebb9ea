/**
 * Which instance of each member this node has met: the first one counts, for good.
 *
 * A node whose directory was emptied has forgotten what it acknowledged and whom it voted for. Under its old id it could
 * elect a leader that lacks committed entries, so it is not listened to and not spoken to; it comes back under a new id.
 * Source: reliability 42, L15, I17.
 */
import { join } from "node:path";
import type { NodeId } from "../raft/types.js";
import { readIfThere, replaceFile } from "./small-file.js";

/** What may stand for an instance in a handshake and in the file. */
export const instancePattern = /^[A-Za-z0-9-]{8,64}$/;

export class Instances {
  readonly #file: string | undefined;
  readonly #known: Map<NodeId, string>;

  /** Without a file nothing outlives this object. */
  constructor(file?: string) {
    this.#file = file;
    this.#known = file === undefined ? new Map<NodeId, string>() : read(file);
  }

  /** @throws Error when the file is damaged: without it a node that was emptied could not be told */
  static open(dir: string): Instances {
    return new Instances(join(dir, "instances.json"));
  }

  get(id: NodeId): string | undefined {
    return this.#known.get(id);
  }

  /** All that are known. */
  entries(): readonly (readonly [NodeId, string])[] {
    return [...this.#known];
  }

  /** False if another instance of this member is known. The first one is remembered durably when this returns. */
  meet(id: NodeId, instance: string): boolean {
    const known = this.#known.get(id);
    if (known !== undefined) return known === instance;
    this.#known.set(id, instance);
    this.#write();
    return true;
  }

  /** Removed ids are refused whatever instance they are. */
  forget(ids: readonly NodeId[]): void {
    const gone = ids.filter((id) => this.#known.delete(id));
    if (gone.length > 0) this.#write();
  }

  #write(): void {
    if (this.#file !== undefined) replaceFile(this.#file, `${JSON.stringify(Object.fromEntries(this.#known))}\n`);
  }
}

function read(file: string): Map<NodeId, string> {
  const text = readIfThere(file);
  if (text === undefined) return new Map();
  try {
    const found = Object.entries(JSON.parse(text) as Record<string, unknown>);
    if (found.every(([, instance]) => typeof instance === "string" && instancePattern.test(instance)))
      return new Map(found as [NodeId, string][]);
  } catch {
    // Reported below: a damaged file is not an absent one.
  }
  throw new Error(`${file} is damaged: it names the instance of each member, take it from another node's directory`);
}

/** What the node is told that comes with another directory. */
export function strangerText(id: NodeId, by: NodeId): string {
  return (
    `node ${by} knows node ${id} with another data directory: this one was emptied, restored or copied, and has not what ` +
    `${id} acknowledged. Start ${id} on its own directory, or remove it (DELETE /cluster/members/${id}) and join with an ` +
    `empty directory under a new id`
  );
}
