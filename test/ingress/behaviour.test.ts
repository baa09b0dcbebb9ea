/**
 * The behaviour suites of the protocol with the API in a worker: nobody can tell.
 */
import { afterAll, beforeAll } from "vitest";
import { aimAt } from "../api/behaviour/client.js";
import { startLocalServer } from "../api/local-server.js";
import type { LocalServer } from "../api/local-server.js";
import { behindLine } from "./loop.js";
import "../api/behaviour/suites.js";

let server: LocalServer;
beforeAll(async () => {
  server = await startLocalServer({}, behindLine);
  aimAt(() => ({ url: server.url, attemptsMax: 3 }));
});
afterAll(() => server.close());
