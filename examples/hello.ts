/**
 * A process, a worker and a client in one program: `node dist/examples/hello.js [endpoint…]`, against `npm start`.
 */
import { createClient } from "slct/client";
import { process as durable, worker } from "slct/sdk";

const endpoints = ["http://127.0.0.1:8081", "http://127.0.0.1:8082", "http://127.0.0.1:8083"];

if (process.argv.length > 2) endpoints.splice(0, endpoints.length, ...process.argv.slice(2));

const hello = durable("hello", { version: 1 }, async (p, name: string) => {
  const begun = await p.step("log", () => `begun for ${name}`);
  const answer = await p.select({ word: p.recv<string>(`word-${name}`), late: p.after("1 day") });
  return answer.tag === "word" && answer.ok ? `${begun}, and told: ${answer.value}` : `${begun}, and told nothing`;
});

const running = worker({ processes: [hello], endpoints });
const client = createClient({ endpoints });

const started = await client.start(hello, "you");
console.log(`started ${started.id}`);
await client.send("word-you", "welcome", { wait: "10s" });
console.log(await client.result(started, { wait: "10s" }));
await running.stop();
