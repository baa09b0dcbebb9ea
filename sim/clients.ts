/**
 * Clients: each sends one request after the other to some node, gives up, goes away, and asks again elsewhere.
 *
 * What they ask for is drawn from what the model holds at that moment, so requests meet; what comes back goes to the
 * oracle.
 */
import { SlctError } from "../src/errors.js";
import { invariant } from "../src/invariant.js";
import type { Command } from "../src/select/command.js";
import type { Committed, Waitable, Waited } from "../cluster/types.js";
import type { Member } from "../cluster/node.js";
import type { Ref } from "../src/select/types.js";
import { wallStartMs } from "./clock.js";
import type { SimConfig } from "./config.js";
import type { Loop } from "./loop.js";
import { commandOf } from "./model/steps.js";
import type { SimNode } from "./node.js";
import type { Attempt, Oracle } from "./oracle.js";
import { mix, Random, streamSeed } from "./random.js";
import type { Reference } from "./reference.js";
import type { Trace } from "./trace.js";
import type { Verdict } from "./verdict.js";

export interface Service {
  readonly config: SimConfig;
  readonly loop: Loop;
  readonly trace: Trace;
  readonly verdict: Verdict;
  readonly nodes: readonly SimNode[];
  readonly reference: Reference;
  readonly oracle: Oracle;
}

/** How a request ended for the client that sent it. */
type End = "answered" | "refused" | "unknown";

interface Request {
  readonly number: number;
  readonly random: Random;
  readonly command: Command;
  readonly tries: number;
}

const triesMax = 4;
/** Beyond what the node itself allows: then the connection is closed. */
const patienceMs = 500;
const kinds: ReadonlySet<Command["kind"]> = new Set([
  ...(["put", "patch", "delete", "lock", "unlock", "pause", "resume", "make", "close", "drop"] as const),
  ...(["select", "demand", "callbackFailed"] as const),
]);

export class Clients {
  readonly #service: Service;
  readonly #seed: number;
  #sent = 0;
  #stopped = false;
  #busy = 0;

  constructor(service: Service) {
    this.#service = service;
    this.#seed = streamSeed(service.config.seed, "clients");
  }

  get isDone(): boolean {
    return this.#busy === 0 && this.#sent >= this.#service.config.requests;
  }

  start(): void {
    for (let client = 0; client < this.#service.config.clients; client += 1) this.#think(client);
  }

  stop(): void {
    this.#stopped = true;
  }

  #think(client: number): void {
    const { config, loop } = this.#service;
    const random = new Random(mix(this.#seed, 1_000_000 + this.#sent * 64 + client));
    loop.after(random.exponential(config.thinkMs), () => {
      if (this.#stopped || this.#sent >= config.requests) return;
      this.#sent += 1;
      this.#request(client, this.#sent);
    });
  }

  #request(client: number, number: number): void {
    const random = new Random(mix(this.#seed, number));
    this.#busy += 1;
    const done = (): void => {
      this.#busy -= 1;
      this.#think(client);
    };
    if (random.chance(this.#service.config.readShare)) this.#read(random, done);
    else this.#try({ number, random, command: this.#draw(random, number), tries: 1 }, done);
  }

  #draw(random: Random, number: number): Command {
    const { reference, loop, config } = this.#service;
    const { world } = reference.model;
    for (;;) {
      const tokens = [...world.states.values()].flatMap(({ lock }) => (lock ? [lock.token] : []));
      const nowMs = reference.nowMs === 0 ? wallStartMs + Math.floor(loop.nowMs) : reference.nowMs;
      const command = commandOf({ world, random, nowMs, index: number, tokens, deadlines: [] });
      if (!kinds.has(command.kind) || isDispatch(command)) continue;
      const isOwn = config.retries && "requestId" in command === false && canCarryId(command) && random.chance(0.4);
      return isOwn ? ({ ...command, requestId: `own ${number}` } as Command) : command;
    }
  }

  #try(request: Request, done: () => void): void {
    const { loop, config } = this.#service;
    const { random, command, tries } = request;
    this.#send(request, (end) => {
      const again = end !== "answered" && config.retries && isRepeatable(command) && tries < triesMax;
      if (!again || this.#stopped) return done();
      loop.after(random.between(20, 500), () => this.#try({ ...request, tries: tries + 1 }, done));
    });
  }

  /** One attempt at one node. `onEnd` is called once. */
  #send({ random, command }: Request, onEnd: (end: End) => void): void {
    const { loop, config, nodes } = this.#service;
    const node = random.any(nodes) as SimNode;
    const latencyMs = random.exponential(config.network.latencyMeanMs);
    const waitMs = random.of([0, 0, 500, 3_000, 10_000]);
    const goneAfterMs = random.chance(0.1) ? random.exponential(1_000) : Infinity;
    const isLost = random.chance(0.02);
    const gone = new AbortController();
    let isOver = false;
    const end = (how: End): void => {
      if (isOver) return;
      isOver = true;
      giveUp.cancelled = true;
      onEnd(how);
    };
    const limitMs = Math.min(goneAfterMs, config.requestTimeoutMs * 2 + waitMs + patienceMs);
    const giveUp = loop.after(limitMs, () => {
      const { life } = node;
      if (life !== undefined) node.enter(life, () => gone.abort());
      end("unknown");
    });
    loop.after(latencyMs, () => {
      const { life } = node;
      if (life === undefined || node.isPaused) {
        if (life === undefined) end("refused");
        return;
      }
      node.enter(life, () => {
        const member = node.serving;
        if (member === undefined) return end("refused");
        this.#submit(member, { node, life, command, waitMs, signal: gone.signal }, (how) => {
          if (!isLost) loop.after(latencyMs, () => end(how));
        });
      });
    });
  }

  #submit(
    member: Member,
    how: { node: SimNode; life: number; command: Command; waitMs: number; signal: AbortSignal },
    reply: (end: End) => void,
  ): void {
    const { oracle, verdict } = this.#service;
    const { node, life, command, waitMs, signal } = how;
    const { proposals } = member.parts;
    const before = proposals.seq;
    let sent = command;
    const build = (ref: Ref): Waitable => (sent = withRef(command, ref));
    const waits = isWaiting(command);
    const answer: Promise<Committed | Waited> = waits
      ? member.submitAndWait(build, { waitMs, signal })
      : member.submit(command);
    const { seq } = proposals;
    const attempt = seq > before ? oracle.begin({ node: node.id, epoch: life, seq }, sent) : undefined;
    const settle = (run: (attempt: Attempt) => void): void => {
      if (attempt !== undefined) verdict.guard(() => run(attempt));
    };
    answer.then(
      (given) => {
        const leaseMs = member.parts.health.clock.nowMs();
        settle((one) => ("kind" in given ? oracle.onWaited(one, given, leaseMs) : oracle.onAnswer(one, given)));
        reply("answered");
      },
      (error: unknown) => {
        if (!(error instanceof SlctError)) return verdict.report(error);
        settle((one) => oracle.onError(one, error));
        reply(error.code === "timeout" ? "unknown" : "refused");
      },
    );
  }

  #read(random: Random, done: () => void): void {
    const { loop, nodes, oracle, reference, verdict } = this.#service;
    const node = random.any(nodes) as SimNode;
    const { life, serving: member } = node;
    loop.after(random.exponential(1_000), done);
    if (life === undefined || member === undefined) return;
    node.enter(life, () => {
      const committed = reference.index;
      member.fresh({ stale: false, minIndex: 0 }).then(
        () => verdict.guard(() => oracle.onRead(node.id, member.appliedIndex, committed)),
        (error: unknown) => {
          if (!(error instanceof SlctError)) verdict.report(error);
        },
      );
    });
  }
}

/** Only the dispatchers of the nodes ask for callback work. */
function isDispatch(command: Command): boolean {
  return command.kind === "demand" && command.for === "callback";
}

/** As api/ does it: what may park goes with a ref, everything else without. */
function isWaiting(command: Command): boolean {
  return command.kind === "demand" || ("wait" in command && command.wait !== undefined);
}

function withRef(command: Command, ref: Ref): Waitable {
  if (command.kind === "demand") return { ...command, ref };
  if (command.kind === "select") return { ...command, wait: { ref } };
  invariant((command.kind === "put" || command.kind === "patch") && command.wait, `${command.kind} does not wait`);
  return { ...command, wait: { ...command.wait, ref } };
}

function canCarryId({ kind }: Command): boolean {
  return kind !== "demand" && kind !== "callbackFailed";
}

/** Repeating it does nothing twice. */
function isRepeatable(command: Command): boolean {
  if ("requestId" in command && command.requestId !== undefined) return true;
  return (command.kind === "put" || command.kind === "patch") && command.lock !== undefined;
}
