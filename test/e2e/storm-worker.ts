/**
 * A worker of the storm, to be killed: `node storm-worker.js <endpoint,…>`. Prints `ready`.
 */
import { flowProcesses, worker } from "../../sdk/sdk.js";
import * as storm from "./storm-processes.js";

const [endpoints = ""] = process.argv.slice(2);
const { sequence, race, threads, child, family, door, counter, rendering, saga, sleeper } = storm;
const plain = [sequence, race, threads, child, family, door, rendering, saga, sleeper];
const running = worker({
  processes: [...plain, ...counter.processes, ...flowProcesses()],
  activities: storm.activities,
  endpoints: endpoints.split(","),
  lease: "5s",
  grace: "2s",
  stopOn: ["SIGTERM"],
  warn: (message) => console.error(message),
});
console.log("ready");
await running.stopped;
