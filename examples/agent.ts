/**
 * An agent that waits for tools, people and timers, and survives everything meanwhile.
 *
 * The model decides what is next; what it says is a step, so it is asked once. Tools are activities, tried again by their
 * policy. What cannot be undone needs a person, who has a while to say no. One iteration of the loop is one thought.
 */
import type { Client } from "slct/client";
import { activity, Failure, implement, process as durable } from "slct/sdk";

interface Call {
  readonly tool: "search" | "book";
  readonly input: string;
}

type Thought = { readonly say: string } | { readonly call: Call };

interface Memory {
  readonly talk: readonly string[];
  readonly thoughts: number;
}

const search = activity<string, string>("tools", "search", { retry: { attempts: 5, first: "1s" }, timeout: "1m" });
const book = activity<string, string>("tools", "book", { retry: { attempts: 1 } });
const tools = { search, book } as const;
const thoughtsMax = 20;

export const agent = durable(
  "agent",
  { version: 1 },
  async (p, { task, patience }: { task: string; patience: string }) =>
    p.loop<Memory, string>({ talk: [`task: ${task}`], thoughts: 0 }, async ({ talk, thoughts }, p) => {
      if (thoughts === thoughtsMax) return p.done("I do not get any further.");
      const thought = await p.step("think", () => think(talk), { timeout: "2m" });
      if ("say" in thought) return p.done(thought.say);
      const said = await act(thought.call);
      return { talk: [...talk, said], thoughts: thoughts + 1 };

      async function act({ tool, input }: Call): Promise<string> {
        if (tool === "book") {
          const consent = p.promise<boolean>();
          p.vars["asks"] = `${tool} ${input}`;
          p.vars["consent"] = consent.id;
          const r = await p.select({ consent, word: p.recv<string>(`${p.info.id}/word`), late: p.after(patience) });
          p.vars["asks"] = null;
          if (r.tag === "late") return "nobody answered: do without";
          if (r.tag === "word") return `the user says: ${r.ok ? r.value : ""}`;
          if (!r.ok || !r.value) return "refused: do without";
        }
        return p.call(tools[tool], input).then(
          (result) => `${tool}: ${result}`,
          (error: Failure) => `${tool} failed: ${error.message}`,
        );
      }
    }),
);

/** In the place of a model: the same shape, no network. */
function think(talk: readonly string[]): Thought {
  const last = talk.at(-1) ?? "";
  if (last.startsWith("task:")) return { call: { tool: "search", input: "trains to Rome" } };
  if (last.startsWith("search:")) return { call: { tool: "book", input: "the night train" } };
  if (last.startsWith("the user says:")) return { call: { tool: "book", input: last.slice("the user says: ".length) } };
  return { say: last.startsWith("book:") ? `Done, ${last.slice(6)}.` : `I could not: ${last}.` };
}

let searches = 0;
export const processes = [agent];
export const activities = [
  implement(search, (what) => {
    if (++searches % 2 === 1) throw new Error("busy");
    return `3 ${what}`;
  }),
  implement(book, (what) => {
    if (what === "") throw new Failure("nothing to book");
    return `${what} is booked`;
  }),
];

export async function* demo(client: Client): AsyncGenerator<string> {
  const asked = await client.start(agent, { task: "bring me to Rome", patience: "1h" });
  yield `asks: ${await question(client, asked.id, "the night train")}`;
  await client.send(`${asked.id}/word`, "the day train", { wait: "10s" });
  yield `asks: ${await question(client, asked.id, "the day train")}`;
  await client.resolve((await client.vars(asked.id))["consent"] as string, true);
  yield await client.result(asked);
  const alone = await client.start(agent, { task: "bring me to Rome", patience: "1s" });
  yield await client.result(alone);
}

/** Waits until the agent asks for consent to something. */
async function question(client: Client, id: string, what: string): Promise<string> {
  for (;;) {
    const { Vars = {}, Version } = await client.getState(id);
    const { asks } = Vars;
    if (typeof asks === "string" && asks.endsWith(what)) return asks;
    await client.getState(id, { after: Version, wait: "2s" });
  }
}
