/**
 * Telling a running flow something: a process that sends itself to it and awaits the answer, as messages to objects do.
 */
import { Failure } from "../client/errors.js";
import { inboxChannel } from "../client/names.js";
import type { ProcessRef } from "../client/process-data.js";
import { process, type ProcessDefinition } from "../process/definition.js";
import type { Told } from "./flow-process.js";
import type { Command } from "./run.js";
import { readSteps } from "./step.js";

export interface CommandInput {
  /** ID of the execution. */
  readonly flow: string;
  readonly command: Command;
}

/** What clients know of it. */
export const commandRef: ProcessRef<CommandInput, null> = { name: "flow.command", version: "1" };

export const commandProcess: ProcessDefinition<CommandInput, null> = process(
  commandRef.name,
  { version: commandRef.version },
  async (p, { flow, command }) => {
    const checked = command.do === "append" ? { ...command, steps: readSteps(command.steps) } : command;
    const promise = p.promise<null>();
    const over = p.result(flow);
    const told: Told = { command: checked, reply: promise.id };
    const sent = await p.select({ told: p.send<Told>(inboxChannel(flow), told), over });
    if (sent.tag === "over") throw isOver(flow);
    // It may have taken the command with its last breath: an answer comes before the end.
    const r = await p.select({ answer: promise, over }, { choice: "order" });
    if (r.tag === "over") throw isOver(flow);
    if (!r.ok) throw r.error;
    return r.value;
  },
);

function isOver(flow: string): Failure {
  return new Failure(`flow ${flow} is over`, { code: "over" });
}
