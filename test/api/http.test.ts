/**
 * The HTTP layer under attack, on one node: what each row of the security list is answered, also when the API runs
 * in a worker.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Client } from "./behaviour/client.js";
import { fronts, startLocalServer, tightOptions } from "./local-server.js";
import type { LocalServer } from "./local-server.js";
import { bodyRows } from "./rows/bodies.js";
import { connectionRows } from "./rows/connections.js";
import { headerRows } from "./rows/headers.js";
import { pathRows } from "./rows/paths.js";
import type { Row, Service } from "./rows/service.js";

describe.each(fronts)("%s", (_name, front) => {
  let server: LocalServer;
  beforeAll(async () => {
    server = await startLocalServer(tightOptions, front);
  });
  afterAll(() => server.close());

  const service: Service = {
    get port() {
      return server.port;
    },
    http: new Client(() => ({ url: server.url, attemptsMax: 3 })),
    limits: tightOptions.limits,
    requestsPerSocketMax: tightOptions.http.requestsPerSocketMax,
    // A turn of the loop in between, as over the network.
    waitCount: () => new Promise((resolve) => setImmediate(() => resolve(server.node.waitCount))),
  };

  describeRows("headers and forms", headerRows, service);
  describeRows("connections", connectionRows, service);
  describeRows("bodies", bodyRows, service);
  describeRows("paths", pathRows, service);

  test("none of it is an error of the server", () => {
    expect(server.logged).toEqual([]);
  });
});

function describeRows(what: string, rows: readonly Row[], service: Service): void {
  describe(what, () => {
    test.each(rows.map(({ name, run }) => [name, run] as const))("%s", (_name, run) => run(service));
  });
}
