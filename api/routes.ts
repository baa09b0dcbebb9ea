/**
 * Every route of the API, in the order in which they are tried. openapi-routes.ts describes the same ones; a test holds
 * the two together.
 */
import { readBackup } from "./backup.js";
import { closeChan, dropChan, getChan, listChans, makeChan } from "./chan.js";
import { readEvents } from "./events.js";
import type { Handler } from "./exchange.js";
import { lockState, pauseState, pollStates, resumeState, unlockState } from "./lease.js";
import { addMember, removeMember, transferLeadership } from "./members.js";
import { getCluster, getHealth, getMetrics, getOpenapi, getReady } from "./operations.js";
import { receiveValue, selectCases, sendValue } from "./plain.js";
import { deleteState, getState, listStates, patchState, putState } from "./state.js";

export type Method = "GET" | "PUT" | "POST" | "PATCH" | "DELETE";

export interface Route {
  readonly path: string;
  readonly methods: Readonly<Partial<Record<Method, Handler>>>;
  /** Methods that go on to the next route that matches: it refuses the name. */
  readonly passes?: readonly Method[];
  /** Its GET takes something: there is no HEAD, which must change nothing. */
  readonly takes?: boolean;
}

export const routes: readonly Route[] = [
  { path: "/state/poll", methods: { GET: pollStates }, passes: ["PUT", "PATCH", "DELETE"], takes: true },
  { path: "/state/:id", methods: { GET: getState, PUT: putState, PATCH: patchState, DELETE: deleteState } },
  { path: "/channel/:chan/send", methods: { POST: sendValue } },
  { path: "/channel/:chan/recv", methods: { POST: receiveValue } },
  { path: "/select", methods: { POST: selectCases } },
  { path: "/state/:id/lock", methods: { POST: lockState, DELETE: unlockState } },
  { path: "/state", methods: { GET: listStates } },
  { path: "/state/:id/pause", methods: { PUT: pauseState } },
  { path: "/state/:id/resume", methods: { PUT: resumeState } },
  { path: "/channel", methods: { GET: listChans } },
  { path: "/channel/:chan", methods: { GET: getChan, PUT: makeChan, DELETE: dropChan } },
  { path: "/channel/:chan/close", methods: { POST: closeChan } },
  { path: "/events", methods: { GET: readEvents } },
  { path: "/cluster", methods: { GET: getCluster } },
  { path: "/cluster/members", methods: { POST: addMember } },
  { path: "/cluster/members/:node", methods: { DELETE: removeMember } },
  { path: "/cluster/transfer", methods: { POST: transferLeadership } },
  { path: "/cluster/backup", methods: { GET: readBackup } },
  { path: "/healthz", methods: { GET: getHealth } },
  { path: "/readyz", methods: { GET: getReady } },
  { path: "/metrics", methods: { GET: getMetrics } },
  { path: "/openapi.json", methods: { GET: getOpenapi } },
];
