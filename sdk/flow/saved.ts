/**
 * Flows and steps that are kept under their names: objects, so that whoever saves at the same time comes one after the other.
 *
 * What is kept stands in `vars`: reading it takes no worker, and any language.
 */
import type { Json } from "../../api/contract.js";
import { object } from "../process/object.js";
import { checkGraph } from "./graph.js";
import { readSteps } from "./step.js";

/** What a flow may be saved as: steps, and the IDs of registered ones. */
export interface SavedSteps {
  readonly steps: readonly Json[];
}

export const savedFlows = object(
  "flow.saved",
  { version: 1 },
  {
    initial: () => null,
    handlers: {
      /** @throws Failure of what the steps are not */
      save: (o, { steps }: SavedSteps): null => {
        const known = readSteps(steps.filter((one) => typeof one !== "string"));
        if (known.length === steps.length) checkGraph(known);
        o.vars["steps"] = steps.map((one) =>
          typeof one === "string" ? one : (readSteps([one])[0] as unknown as Json),
        );
        return null;
      },
    },
  },
);

export const registeredSteps = object(
  "flow.registered",
  { version: 1 },
  {
    initial: () => null,
    handlers: {
      register: (o, step: Json): null => {
        const [read] = readSteps([step]);
        o.vars["step"] = read as unknown as Json;
        return null;
      },
    },
  },
);
