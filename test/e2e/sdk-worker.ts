/**
 * A worker as a program of its own, to be killed: `node sdk-worker.js <endpoint,…>`. Prints `ready`.
 */
import { worker } from "../../sdk/sdk.js";
import { order, parcel } from "./sdk-orders.js";

const [endpoints = ""] = process.argv.slice(2);
const running = worker({
  processes: [order, parcel],
  endpoints: endpoints.split(","),
  lease: "5s",
  grace: "2s",
  stopOn: ["SIGTERM"],
  warn: (message) => console.error(message),
});
console.log("ready");
await running.stopped;
console.log("stopped");
