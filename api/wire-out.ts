/**
 * Records of the engine → wire JSON. Raw values are spliced in as they are.
 *
 * Boundary: knows what a client may see. A lock is shown to its holder only ({@link handOutChunks}).
 * Source: protocol §1, §4, §6, §7.
 */
import type { Event, Node } from "../cluster/types.js";
import type { HandOut } from "../src/select/outcome.js";
import type { Case, Chan, PutAnswer, Raw, Result, Select, State } from "../src/select/types.js";
import type { ChannelOut, ClusterOut, EventOut, OpNumber, PutAnswerOut } from "./contract.js";
import type { Chunk } from "./json-chunks.js";

const opNumbers = { recv: 1, send: 2, time: 3, default: 4 } as const satisfies Record<Case["op"], OpNumber>;

// --------------------------------------------------------------------------------------------------------- states

/** A state as `GET` shows it. */
export function stateChunks(state: State, data: Raw | undefined): Chunk[] {
  const out = stateHead(state, data);
  out.push(stateTail(state));
  pushLast(out, state);
  out.push("}");
  return out;
}

/** A state as its holder gets it: with `Lock`, `LockUntil`, `Attempt`. */
export function handOutChunks({ state, data }: HandOut): Chunk[] {
  const out = stateHead(state, data);
  const { lock } = state;
  if (lock) {
    out.push(`,"Lock":${JSON.stringify(lock.token)},"LockUntil":${lock.untilMs},"Attempt":${state.attempt}`);
  }
  out.push(stateTail(state));
  pushLast(out, state);
  out.push("}");
  return out;
}

function stateHead(state: State, data: Raw | undefined): Chunk[] {
  const out: Chunk[] = [`{"ID":${JSON.stringify(state.id)}`];
  if (data) out.push(`,"Data":`, data);
  out.push(`,"Selects":[`);
  state.selects.forEach((select, i) => pushSelect(out, select, i > 0 ? "," : ""));
  out.push(`],"Results":[`);
  resultsOf(state).forEach((result, i) => pushResult(out, result, i > 0 ? "," : ""));
  out.push("]");
  if (state.callback) out.push(`,"Callback":{"Type":1,"URI":${JSON.stringify(state.callback.uri)}}`);
  if (state.vars) out.push(`,"Vars":`, state.vars);
  out.push(`,"Status":"${state.status}","Version":${state.version}`);
  return out;
}

function stateTail(state: State): string {
  return (
    `,"CreatedAt":${state.createdAtMs},"UpdatedAt":${state.updatedAtMs}` +
    (state.paused ? `,"PausedReason":${JSON.stringify(state.paused.reason)}` : "") +
    (state.lastError === undefined ? "" : `,"LastError":${JSON.stringify(state.lastError)}`)
  );
}

function pushLast(out: Chunk[], state: State): void {
  if (state.lastDetails) out.push(`,"LastDetails":`, state.lastDetails);
}

/** In the order in which they resolved. */
function resultsOf(state: State): Result[] {
  return state.selects.flatMap((select) => select.result ?? []).sort((a, b) => a.order - b.order);
}

function pushSelect(out: Chunk[], select: Select, before: string): void {
  out.push(`${before}{"ID":${JSON.stringify(select.id)},"Cases":[`);
  select.cases.forEach((one, i) => pushCase(out, one, i > 0 ? "," : ""));
  out.push(`],"Choice":"${select.choice}"`);
  if (select.result) pushResult(out, select.result, `,"Result":`);
  out.push("}");
}

function pushCase(out: Chunk[], one: Case, before: string): void {
  const op = `${before}{"Op":${opNumbers[one.op]}`;
  switch (one.op) {
    case "recv":
    case "send":
      out.push(`${op},"Chan":${JSON.stringify(one.chan)}`);
      if (one.op === "send") out.push(`,"Data":`, one.data ?? "null");
      out.push(one.notBeforeMs === undefined ? "}" : `,"NotBefore":${one.notBeforeMs}}`);
      return;
    case "time":
      out.push(
        one.form.kind === "chan" ? `${op},"Chan":${JSON.stringify(one.form.chan)}}` : `${op},"At":${one.deadlineMs}}`,
      );
      return;
    case "default":
      out.push(`${op}}`);
      return;
  }
}

// -------------------------------------------------------------------------------------------------------- results

export function resultChunks(result: Result): Chunk[] {
  const out: Chunk[] = [];
  pushResult(out, result, "");
  return out;
}

function pushResult(out: Chunk[], result: Result, before: string): void {
  const { chan, closed, error } = result;
  out.push(
    `${before}{"Select":${JSON.stringify(result.select)},"Case":${result.case},"Op":${opNumbers[result.op]}` +
      (chan === undefined ? "" : `,"Chan":${JSON.stringify(chan)}`),
  );
  if (result.op === "recv") out.push(`,"Data":`, result.data ?? "null");
  out.push(
    `,"Ok":${result.ok}` +
      (closed === undefined ? "" : `,"Closed":${closed}`) +
      (error === undefined ? "" : `,"Error":"${error}"`) +
      `,"At":${result.atMs},"Index":${result.index}}`,
  );
}

// ---------------------------------------------------------------------------------------------------- the small ones

export function putAnswerOut(answer: PutAnswer): PutAnswerOut {
  const { lease, spawned } = answer;
  return {
    ID: answer.id,
    Status: answer.status,
    Version: answer.version,
    CreatedAt: answer.createdAtMs,
    UpdatedAt: answer.updatedAtMs,
    ...(lease && { Lock: lease.token, LockUntil: lease.untilMs, Attempt: lease.attempt }),
    ...(spawned && {
      Spawned: spawned.map((one) =>
        "code" in one ? { ID: one.id, Code: one.code } : { ID: one.id, Status: one.status, Version: one.version },
      ),
    }),
  };
}

export function channelOut(chan: Chan, oldestWaiterMs?: number): ChannelOut {
  return {
    Chan: chan.id,
    Buffer: chan.buffer,
    Values: chan.count,
    Senders: chan.sendq.count,
    Receivers: chan.recvq.count,
    Closed: chan.closed !== undefined,
    OldestWaiter: oldestWaiterMs ?? null,
  };
}

export function eventOut(event: Event): EventOut {
  const { index, atMs, type, id, status, version } = event;
  const what = type.startsWith("chan.") ? { Chan: id } : { ID: id };
  return {
    Index: index,
    At: atMs,
    Type: type,
    ...what,
    ...(status !== undefined && { Status: status }),
    ...(version !== undefined && { Version: version }),
  };
}

export function clusterOut(cluster: Awaited<ReturnType<Node["cluster"]>>): ClusterOut {
  return {
    ID: cluster.id,
    Nodes: cluster.nodes.map((node) => ({
      ID: node.id,
      Address: node.api,
      Peer: node.peer,
      Role: node.voter || node.role !== "follower" ? node.role : "learner",
      Voter: node.voter,
      Instance: node.instance,
      Term: node.term,
      Leader: node.leader,
      LastIndex: node.lastIndex,
      CommitIndex: node.commitIndex,
      AppliedIndex: node.appliedIndex,
      FlushedIndex: node.flushedIndex,
      LagMs: node.lagMs,
      DBBytes: node.dbBytes,
      ClockSkewMs: node.skewMs,
      Reachable: node.reachable,
      At: node.atMs,
      Version: node.version,
      ...(node.stateHash && { StateHash: { Index: node.stateHash.index, Hash: node.stateHash.hash } }),
      ...(node.diskFreeBytes !== undefined && { DiskFreeBytes: node.diskFreeBytes }),
      Alarms: node.alarms.map(({ kind, sinceMs, about }) => ({ Kind: kind, Since: sinceMs, About: about })),
    })),
    Removed: cluster.removed,
    Changing: cluster.changing,
  };
}
