/**
 * `GET /cluster/backup`: whole, bounded, and ended when nobody reads it or the node goes.
 */
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ArchivePart } from "../../cluster/archive-format.js";
import { readArchive } from "../../cluster/archive-reader.js";
import { backupsMax } from "../../cluster/backups.js";
import { keys } from "../../src/select/keys.js";
import { Client, expectProblem } from "./behaviour/client.js";
import { fronts, startLocalServer } from "./local-server.js";
import type { LocalServer } from "./local-server.js";

describe.each(fronts)("%s", (_name, front) => {
  let server: LocalServer;
  beforeEach(async () => {
    server = await startLocalServer({}, front);
  });
  afterEach(() => server.close());
  const http = new Client(() => ({ url: server.url, attemptsMax: 1 }));

  async function fill(states: number, bytes: number): Promise<void> {
    const data = Buffer.from(JSON.stringify("x".repeat(bytes)));
    for (let n = 0; n < states; n++)
      await server.node.submit({ kind: "put", id: `s${n}`, digest: `s${n}`, data, selects: [] });
  }

  /** The answer, its body not read. */
  async function ask(path = "/cluster/backup"): Promise<IncomingMessage> {
    const asked = get(`${server.url}${path}`, { agent: false });
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    answer.on("error", () => undefined);
    return answer;
  }

  async function partsOf(bytes: AsyncIterable<Uint8Array>): Promise<ArchivePart[]> {
    const parts: ArchivePart[] = [];
    for await (const part of readArchive(bytes)) parts.push(part);
    return parts;
  }

  /** More than sockets hold. */
  const much = { states: 200, bytes: 100_000 };

  test("an archive of everything, with its index and a name for a file", async () => {
    await fill(100, 1000);
    const answer = await ask();
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      "content-type": "application/octet-stream",
      "content-disposition": 'attachment; filename="test-101.slctarc"',
      "slct-index": "101",
      "cache-control": "no-store",
    });
    const parts = await partsOf(answer);
    expect(parts[0]).toMatchObject({ kind: "header", header: { clusterId: "test", index: 101, term: 1 } });
    const names = parts.flatMap((part) => (part.kind === "records" ? part.records.map(([key]) => key) : []));
    expect(names.filter((key) => key.startsWith(keys.state("")))).toHaveLength(100);
    expect(parts.at(-1)).toMatchObject({ kind: "trailer", trailer: { records: names.length } });
  });

  test("what is written meanwhile is not in it", async () => {
    await fill(much.states, much.bytes);
    const answer = await ask();
    await server.node.submit({ kind: "put", id: "later", digest: "later", selects: [] });
    const parts = await partsOf(answer);
    const names = parts.flatMap((part) => (part.kind === "records" ? part.records.map(([key]) => key) : []));
    expect(names).not.toContain(keys.state("later"));
  });

  test("beyond the limit: 503 overloaded, until one has ended", async () => {
    await fill(much.states, much.bytes);
    const open = await Promise.all(Array.from({ length: backupsMax }, () => ask()));
    const refused = await http.get("/cluster/backup");
    expectProblem(refused, 503, "overloaded");
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(JSON.stringify(refused.body)).toContain(`${backupsMax} backups at once`);
    await partsOf(open[0] as IncomingMessage);
    await partsOf(open[1] as IncomingMessage);
    await partsOf(await ask());
  });

  test("a client that goes, and one that does not read, make room for others", async () => {
    await server.close();
    server = await startLocalServer({ backupIdleMs: 200 }, front);
    await fill(much.states, much.bytes);
    for (let n = 0; n < backupsMax; n++) (await ask()).destroy();
    for (let n = 0; n < backupsMax; n++) await ask();
    // All of these are given up; as many as there may be come through.
    let whole = 0;
    while (whole < backupsMax) {
      const answer = await ask();
      if (answer.statusCode === 200) {
        await partsOf(answer);
        whole++;
      } else {
        answer.destroy();
      }
    }
  });

  test("a node that ends breaks off: the archive is not whole, and the connection says so", async () => {
    await fill(much.states, much.bytes);
    const answer = await ask();
    server.node.close();
    await expect(partsOf(answer)).rejects.toThrow(/aborted|cut off/);
    expectProblem(await http.get("/cluster/backup"), 503, "no_leader");
  });

  test("HEAD holds nothing; freshness is that of reads", async () => {
    for (let n = 0; n <= backupsMax; n++) {
      const { status } = await fetch(`${server.url}/cluster/backup`, { method: "HEAD" });
      expect(status).toBe(200);
    }
    expectProblem(await http.get("/cluster/backup?consistency=eventual"), 400, "bad_request");
    expect((await http.post("/cluster/backup")).status).toBe(405);
  });
});
