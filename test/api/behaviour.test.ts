/**
 * The black-box check of the protocol, on the engine without a cluster around it. A suite is what its import registers,
 * and speaks to whatever {@link aimAt} names: test/e2e/api.test.ts runs the same ones on three nodes.
 */
import { afterAll, beforeAll } from "vitest";
import { aimAt } from "./behaviour/client.js";
import { startLocalServer } from "./local-server.js";
import type { LocalServer } from "./local-server.js";
import "./behaviour/suites.js";

let server: LocalServer;
beforeAll(async () => {
  server = await startLocalServer();
  aimAt(() => ({ url: server.url, attemptsMax: 3 }));
});
afterAll(() => server.close());
