/**
 * Every metric of the node: name, unit and help in one list. Base units; labels only from closed sets.
 */
import { Counter, Gauge, Histogram, Registry, type Metric } from "prom-client";
import type { StatusCounts, ValueCounts } from "../src/select/types.js";
import { alarmKinds, type AlarmKind } from "./alarms.js";

/** Read when the metrics are scraped. */
export interface Gauges {
  readonly read: () => Readonly<Record<GaugeName, number>>;
  readonly states: () => StatusCounts;
  readonly values: () => ValueCounts;
  readonly alarms: () => readonly AlarmKind[];
}

const gauges = {
  slct_raft_term: "Current Raft term",
  slct_raft_leader: "1 on the leader, else 0",
  slct_raft_first_index: "First index that is still in the log: who needs an earlier one gets a snapshot",
  slct_raft_last_index: "Last index of the log",
  slct_raft_commit_index: "Commit index",
  slct_raft_applied_index: "Last index applied here",
  slct_raft_lag_entries: "Entries committed and not yet applied here",
  slct_raft_voters: "Members that vote, as this node knows it",
  slct_raft_learners: "Members that catch up and do not vote yet",
  slct_flushed_index: "Last index whose effects are in the applied store on disk",
  slct_proposals_open: "Requests of this node that wait to be committed",
  slct_proposal_bytes_open: "Bytes of the requests that wait to be committed",
  slct_waits_open: "Requests of this node that wait: polls, sends, receives",
  slct_demands: "Polls and callback dispatchers parked in the log, all nodes",
  slct_states_pending: "States that wait to be handed out",
  slct_clock_skew_seconds: "Largest difference between this wall clock and that of a peer",
  slct_peer_queue_bytes: "Bytes queued to peers",
  slct_disk_free_bytes: "Free space of the disk of the data directory; 0 when it is not watched",
} as const;

export type GaugeName = keyof typeof gauges;

const latencyBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const stepBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.012, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export interface Metrics {
  readonly commitSeconds: Histogram;
  readonly syncSeconds: Histogram;
  readonly applySeconds: Histogram;
  readonly applyCpuSeconds: Histogram;
  readonly silenceSeconds: Histogram;
  readonly batchEntries: Histogram;
  readonly timerLagSeconds: Histogram;
  readonly stallSeconds: Histogram;
  readonly leaderChanges: Counter;
  readonly entries: Counter;
  readonly statesResolved: Counter;
  readonly statesHandedOut: Counter;
  readonly statesPaused: Counter;
  /** By how the call ended. */
  readonly callbacks: Counter<"end">;
}

/** A node that starts over in its process takes the place of its earlier run. */
export function createMetrics(registry: Registry, source: Gauges): Metrics {
  const own = new Registry();
  const metrics = buildMetrics([own], source);
  for (const metric of own.getMetricsAsArray()) {
    registry.removeSingleMetric(metric.name);
    registry.registerMetric(metric as unknown as Metric);
  }
  return metrics;
}

function buildGauges(registers: Registry[], source: Gauges): void {
  for (const name of Object.keys(gauges) as GaugeName[]) {
    new Gauge({
      name,
      help: gauges[name],
      registers,
      collect() {
        this.set(source.read()[name]);
      },
    });
  }
  new Gauge({
    name: "slct_states",
    help: "States, by status",
    labelNames: ["status"],
    registers,
    collect() {
      for (const [status, count] of Object.entries(source.states())) this.set({ status }, count);
    },
  });
  new Gauge({
    name: "slct_values",
    help: "Values of channels since the cluster began: sent is received plus buffered, always",
    labelNames: ["at"],
    registers,
    collect() {
      for (const [at, count] of Object.entries(source.values())) this.set({ at }, count);
    },
  });
  new Gauge({
    name: "slct_alarm",
    help: "1 while the alarm stands on this node, else 0",
    labelNames: ["kind"],
    registers,
    collect() {
      const standing = source.alarms();
      for (const kind of alarmKinds) this.set({ kind }, standing.includes(kind) ? 1 : 0);
    },
  });
}

function buildMetrics(registers: Registry[], source: Gauges): Metrics {
  buildGauges(registers, source);
  const histogram = (name: string, help: string, buckets = latencyBuckets) =>
    new Histogram({ name, help, buckets, registers });
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  return {
    commitSeconds: histogram("slct_commit_seconds", "From submission on this node until it was applied here"),
    syncSeconds: histogram("slct_log_sync_seconds", "One synced write of the log"),
    batchEntries: histogram(
      "slct_log_batch_entries",
      "Entries in one synced write",
      [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    ),
    applySeconds: histogram(
      "slct_apply_seconds",
      "One step of applying entries: nothing else of the node runs meanwhile",
      stepBuckets,
    ),
    applyCpuSeconds: histogram(
      "slct_apply_cpu_seconds",
      "CPU of one step of applying, at most: what is missing to slct_apply_seconds was waiting, for a core or the disk",
      stepBuckets,
    ),
    silenceSeconds: histogram(
      "slct_leader_silence_seconds",
      "On a follower: from one message of the leader, heartbeats included, to the next",
      [0.025, 0.05, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.2, 2.5, 10],
    ),
    timerLagSeconds: histogram(
      "slct_timer_lag_seconds",
      "How late the oldest deadline of an expire entry was proposed",
    ),
    stallSeconds: histogram(
      "slct_stall_seconds",
      "Gaps of more than half an election timeout in which this process did not run",
      [0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    ),
    leaderChanges: counter("slct_leader_changes_total", "Leaders seen by this node"),
    entries: counter("slct_entries_applied_total", "Entries applied here"),
    statesResolved: counter("slct_states_resolved_total", "Entries that gave a state a result"),
    statesHandedOut: counter("slct_states_handed_out_total", "Hand-outs"),
    statesPaused: counter("slct_states_paused_total", "States that were paused"),
    callbacks: new Counter({
      name: "slct_callbacks_total",
      help: "Callbacks of this node, by how they ended",
      labelNames: ["end"],
      registers,
    }),
  };
}
