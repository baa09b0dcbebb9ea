/**
 * `GET /cluster/backup`: the records of this node at one index, as an archive.
 *
 * The archive says itself whether it is whole: one that breaks off has no trailer, and its connection ends without the last
 * chunk. Source: protocol §7; the format: cluster/archive-format.ts.
 */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { freshen, signalOf } from "./exchange.js";
import type { Exchange } from "./exchange.js";

/** A client that takes nothing for so long has gone. */
export const backupIdleMsDefault = 60_000;

const headers = {
  "Content-Type": "application/octet-stream",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-store",
};

export async function readBackup(exchange: Exchange): Promise<undefined> {
  const { api, req, res } = exchange;
  const signal = signalOf(exchange);
  await freshen(exchange);
  if (req.method === "HEAD") {
    res.writeHead(200, { ...headers, "Slct-Index": String(api.node.appliedIndex) }).end();
    return;
  }
  const backup = await api.node.backup();
  const { clusterId, index, records } = backup;
  try {
    if (signal.aborted) return;
    res.writeHead(200, {
      ...headers,
      "Content-Disposition": `attachment; filename="${fileName(clusterId, index)}"`,
      "Slct-Index": String(index),
    });
    res.setTimeout(api.backupIdleMs, () => res.destroy());
    await pipeline(Readable.from(backup.pieces, { objectMode: false }), res, { signal });
    api.logger.info({ event: "backup", index, records }, "a backup was taken");
  } catch (error) {
    // There is no status any more; the broken connection is the answer.
    api.logger.warn({ event: "backup_ended", index, err: error }, "a backup broke off");
    res.destroy();
  } finally {
    await backup.end();
  }
}

/** IDs of clusters are of letters that any file system takes. */
function fileName(clusterId: string, index: number): string {
  return `${clusterId.replaceAll(/[^\w.-]/g, "_")}-${index}.slctarc`;
}
