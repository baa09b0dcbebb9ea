/**
 * Mistakes of the loop that writes, sends and applies, and of what a node remembers of itself.
 */
import type { Bug } from "./bug.js";

export const hostBugs: readonly Bug[] = [
  {
    name: "answers-beside-the-write",
    file: "cluster/driver.ts",
    find: "for (const message of ready.messages) this.#host.send(message);",
    replace: "for (const message of [...ready.messages, ...ready.messagesAfterPersist]) this.#host.send(message);",
    why: "what has to wait for the disk leaves at once",
  },
  {
    name: "failed-write-ignored",
    file: "cluster/driver.ts",
    find: "      await write;",
    replace: "      await write?.catch(() => undefined);",
    why: "the node goes on after its disk refused a write",
  },
  {
    name: "vote-not-written",
    file: "cluster/driver.ts",
    find: "this.#log.append(hardState === undefined ? { entries } : { hardState, entries });",
    replace:
      "this.#log.append(hardState === undefined || entries.length === 0 ? { entries } : { hardState, entries });",
    why: "term and vote are only written along with entries",
  },
  {
    name: "terms-unnoticed",
    file: "cluster/driver.ts",
    find: "if (entry.term !== this.#store.appliedTerm) this.#host.onTerm(entry.term);",
    replace: "if (entry.term < this.#store.appliedTerm) this.#host.onTerm(entry.term);",
    why: "a new leader does not take up its duties",
  },
  {
    name: "earlier-run-answered",
    file: "cluster/node.ts",
    find: "if (origin.node === config.id && origin.epoch === epoch)",
    replace: "if (origin.node === config.id && origin.epoch <= epoch)",
    why: "entries of an earlier run answer requests of this one",
  },
];
