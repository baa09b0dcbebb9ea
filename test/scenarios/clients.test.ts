/**
 * M10: clients that reach followers only. The members are real, the links between them are in memory.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Member } from "../../cluster/node.js";
import type { Command } from "../../src/select/command.js";
import { openMember } from "../cluster/local-member.js";
import { Network } from "../cluster/network.js";

const ids = ["n1", "n2", "n3"];
const values = 100;

let root = "";
let network = new Network();
let members: readonly Member[] = [];
const fatal: unknown[] = [];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "slct-clients-"));
  network = new Network();
  const onFatal = (error: unknown) => void fatal.push(error);
  members = await Promise.all(ids.map((id) => openMember(id, { root, network, ids, onFatal })));
});
afterEach(async () => {
  await Promise.all(members.map((member) => member.close()));
  rmSync(root, { recursive: true });
  expect(fatal.splice(0)).toEqual([]);
});

const plain = (op: "send" | "recv", text?: string): Command => ({
  ...{ kind: "select", route: op, choice: "random" },
  ...(text !== undefined && { requestId: text }),
  cases: [op === "send" ? { op, chan: "q", data: Buffer.from(text ?? "") } : { op, chan: "q" }],
});

/** Everything that is in the channel, taken out through `member`. */
async function drained(member: Member): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const { outcome } = await member.submit(plain("recv"));
    if (!outcome.ok || outcome.answer.kind !== "result") return texts;
    texts.push(Buffer.from(outcome.answer.result.data ?? []).toString());
  }
}

test.each(["stays", "is cut off from all"])(
  "M10 a client that reaches followers only is served by them, nothing twice, while the leader %s",
  async (what) => {
    const [first] = members as [Member];
    while (!(await first.submit({ kind: "make", chan: "q", buffer: values })).outcome.ok);
    await Promise.all(members.map((member) => member.fresh({ stale: false, minIndex: 0 })));
    const { leader } = first.leadership();
    const followers = members.filter(({ id }) => id !== leader);
    const asks = Array.from({ length: values }, (_, n) => {
      if (n === values / 2 && what !== "stays") network.isolate(leader ?? "");
      // Not sure that the first one took it, it asks the other one too.
      return Promise.all(followers.map((member) => member.submit(plain("send", `v${n}`))));
    });
    for (const [one, other] of await Promise.all(asks)) {
      expect(one?.outcome).toMatchObject({ ok: true, answer: { kind: "result" } });
      expect([one?.outcome, other?.outcome].filter((outcome) => outcome?.ok === true && outcome.repeated)).toHaveLength(
        1,
      );
    }
    for (const member of followers) {
      const { record } = await member.chan("q", { stale: false, minIndex: 0 });
      expect(record?.chan.count).toBe(values);
    }
    network.heal();
    expect((await drained(followers[1] as Member)).sort()).toEqual(
      Array.from({ length: values }, (_, n) => `v${n}`).sort(),
    );
  },
  30_000,
);
