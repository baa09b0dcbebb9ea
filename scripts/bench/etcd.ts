/**
 * etcd beside us: three nodes as the Debian package runs them, put and linearizable get over its own protocol, gRPC.
 *
 * gRPC and not the JSON gateway: the gateway is a gRPC client inside the server that also codes base64, on the cores that
 * are measured. The client here is as lean as the one that loads slct.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePorts, loopback } from "../free-ports.js";
import { GrpcConnection } from "./grpc.js";
import { startPeer, type PeerProcess } from "./peer-process.js";
import { metric } from "./usage.js";
import { expectAnswer, freshPrefix, holds, textOf, type Subject, type Workload } from "./workload.js";

const size = 3;
const readyMs = 30_000;
const requestMs = 2000;
const stepMs = 100;
/** Of the database, the largest that etcd recommends: a run must not end because it is full. */
const quotaBytes = 8 * 2 ** 30;

const put = "/etcdserverpb.KV/Put";
const range = "/etcdserverpb.KV/Range";

/** @throws Error that says how to install it when it is not there */
export function etcdVersion(): string {
  try {
    return /etcd Version: (\S+)/.exec(execFileSync("etcd", ["--version"], { encoding: "utf8" }))?.[1] ?? "unknown";
  } catch {
    throw new Error("etcd is not installed. On Debian: apt-get install --no-install-recommends etcd-server");
  }
}

export async function openEtcd(dir: string): Promise<Subject<GrpcConnection>> {
  etcdVersion();
  const ports = await freePorts(2 * size, new Set());
  const names = Array.from({ length: size }, (_, n) => `e${n + 1}`);
  const clientUrls = names.map((_, n) => `http://${loopback}:${ports[n]}`);
  const peerUrls = names.map((_, n) => `http://${loopback}:${ports[size + n]}`);
  const token = freshPrefix("bench");
  const members = names.map((name, n) => `${name}=${peerUrls[n]}`).join(",");
  const nodes: PeerProcess[] = [];
  const stop = async () => void (await Promise.all(nodes.map((node) => node.stop())));
  try {
    for (const [n, name] of names.entries()) {
      const [client = "", peer = ""] = [clientUrls[n], peerUrls[n]];
      const flags = [
        ...["--name", name, "--data-dir", join(dir, "etcd", name)],
        ...["--listen-client-urls", client, "--advertise-client-urls", client],
        ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
        ...["--initial-cluster", members, "--initial-cluster-state", "new", "--initial-cluster-token", token],
        ...["--quota-backend-bytes", String(quotaBytes)],
      ];
      nodes.push(await startPeer({ dir: join(dir, "etcd"), name, command: ["etcd", ...flags] }));
    }
    for (const [n, url] of clientUrls.entries()) await untilHealthy(url, nodes[n]);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ name: `etcd ${etcdVersion()}`, pids: nodes.map(({ pid }) => pid), stop },
    open: (worker) => GrpcConnection.open(clientUrls[worker % size] ?? ""),
    syncs: async () => {
      const texts = clientUrls.map(async (url) => (await fetch(`${url}/metrics`)).text());
      const counts = (await Promise.all(texts)).map((one) => metric(one, "etcd_disk_wal_fsync_duration_seconds_count"));
      return counts.reduce((sum, one) => sum + one, 0);
    },
  };
}

async function untilHealthy(url: string, node: PeerProcess | undefined): Promise<void> {
  const end = performance.now() + readyMs;
  for (;;) {
    const healthy = await fetch(`${url}/health`, { signal: AbortSignal.timeout(requestMs) })
      .then(async (answer) => (await answer.text()).includes('"true"'))
      .catch(() => false);
    if (healthy) return;
    if (performance.now() > end) throw new Error(`etcd is not healthy:\n${node?.tail()}`);
    await pause(stepMs);
  }
}

/** Each operation a new key, as each of ours is a new state. */
export function etcdPut(name: string, bytes: number, workers: number): Workload<GrpcConnection> {
  const value = field(2, Buffer.from(textOf(bytes)));
  const prefix = freshPrefix("put");
  return {
    ...{ name, workers, writes: true, independent: true },
    step: async (connection, worker, round) => {
      const key = field(1, Buffer.from(`${prefix}-${worker}-${round}`));
      const answer = await connection.call(put, Buffer.concat([key, value]));
      // PutResponse: field 1, the header with the revision it got.
      expectAnswer(answer[0] === 0x0a && answer.length > 10, name, answer);
      return 1;
    },
  };
}

export function etcdGet(name: string, bytes: number, workers: number): Workload<GrpcConnection> {
  const key = field(1, Buffer.from(freshPrefix("get")));
  const data = Buffer.from(textOf(bytes));
  return {
    ...{ name, workers, writes: false, independent: true },
    setup: async (connection) => void (await connection.call(put, Buffer.concat([key, field(2, data)]))),
    step: async (connection) => {
      const answer = await connection.call(range, key);
      expectAnswer(holds(answer, data), name, answer);
      return 1;
    },
  };
}

/** Bytes as a field of a Protocol Buffers message. */
function field(number: number, bytes: Buffer): Buffer {
  const head = [(number << 3) | 2];
  let length = bytes.length;
  for (; length > 127; length >>>= 7) head.push((length & 127) | 128);
  return Buffer.concat([Buffer.from([...head, length]), bytes]);
}
