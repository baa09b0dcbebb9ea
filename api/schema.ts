/**
 * Shapes of all request bodies as JSON Schema, and their compiled checks. The same objects stand in /openapi.json.
 *
 * Boundary: shapes only. What depends on two members at once (a lock with a spawned state, a time in two forms) is
 * checked by the translators. The user's own JSON arrives here as bytes and has no shape.
 */
import { Ajv } from "ajv";
import type { ErrorObject, ValidateFunction } from "ajv";
import { SlctError } from "../src/errors.js";
import type { Raw } from "../src/select/types.js";
import type {
  BufferBody,
  CloseBody,
  HolderBody,
  LockBody,
  MemberBody,
  PatchBody,
  PauseBody,
  PlainSelectBody,
  PutBody,
  SendBody,
  TransferBody,
} from "./contract.js";
import type { Envelope } from "./json.js";
import { bufferMax } from "./wire-in.js";

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly (string | number | null)[];
  readonly const?: string | number;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
}

const anyJson: Schema = { description: "Any JSON; kept as text, given back exactly." };
const text: Schema = { type: ["string", "null"] };
const instant: Schema = { type: ["integer", "string", "null"], description: "Unix milliseconds or RFC 3339." };
const listOf = (name: string): Schema => ({
  type: ["array", "null"],
  items: { $ref: `#/components/schemas/${name}` },
});

function body(properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema {
  return { type: "object", properties, required };
}

const extras = {
  ID: { type: ["string", "null"], description: "If present: the ID of the path." },
  Lock: { type: ["string", "null"], description: "The lock of the hand-out; also accepted as header Slct-Lock." },
  Hold: { type: ["boolean", "null"], description: "Store, keep the lock and extend it." },
  Cancel: { type: ["array", "null"], items: { type: "string" } },
  Make: listOf("Make"),
  Close: {
    type: ["array", "null"],
    items: { anyOf: [{ type: "string" }, { $ref: "#/components/schemas/CloseItem" }] },
  },
  Spawn: listOf("Spawn"),
  Strict: { type: ["boolean", "null"], description: "A spawned state that exists refuses the whole request." },
} satisfies Record<string, Schema>;

const callback: Schema = { anyOf: [{ type: "null" }, { $ref: "#/components/schemas/Callback" }] };
const content = { Data: anyJson, Vars: { description: "A small JSON object." }, Callback: callback };

/** Every schema of a request, by its name in the components of /openapi.json. */
export const bodySchemas = {
  Case: body(
    {
      Op: { enum: [1, 2, 3, 4, "recv", "send", "time", "default"] },
      Chan: { type: ["string", "number", "null"], description: "Channel; null is nil. Op 3: unix seconds." },
      Data: { description: "Op 2 only: the value sent." },
      At: instant,
      After: { type: ["number", "string", "null"], description: 'Milliseconds or "500ms", "30s", "1h30m", "7d".' },
      NotBefore: { ...instant, description: "The receive or send takes part from then on." },
    },
    ["Op"],
  ),
  Select: body(
    {
      ID: { type: "string", minLength: 1, maxLength: 256 },
      Cases: { type: ["array", "null"], items: { $ref: "#/components/schemas/Case" } },
      Choice: { enum: ["random", "order", null] },
      Result: { description: "Only in answers: a select that still carries it was not processed." },
    },
    ["ID"],
  ),
  Callback: body({ Type: { const: 1 }, URI: { type: "string", minLength: 1, maxLength: 2048 } }, ["Type", "URI"]),
  Make: body({ Chan: { type: "string" }, Buffer: { type: ["integer", "null"] } }, ["Chan"]),
  CloseItem: body({ Chan: { type: "string" }, Value: anyJson }, ["Chan"]),
  Spawn: body({ ID: { type: "string" }, ...content, Selects: listOf("Select") }, ["ID"]),
  PutBody: body({ ...content, Selects: listOf("Select"), ...extras }),
  PatchBody: body({ ...content, Add: listOf("Select"), ...extras }),
  LockBody: body({
    Lock: text,
    For: { type: ["number", "null"], description: "Seconds, 1–3600; default 30." },
    Details: { description: "Any JSON; the next holder sees it as LastDetails." },
  }),
  HolderBody: body({ Lock: text }),
  PauseBody: body({ Reason: { type: ["string", "null"], maxLength: 1024 } }),
  BufferBody: body({ Buffer: { type: ["integer", "null"], minimum: 0, maximum: bufferMax } }),
  CloseBody: body({ Value: { description: "What receivers get, those that wait and those that come." } }),
  SendBody: body({ Data: anyJson }),
  EmptyBody: { ...body({}), description: "May be left out." },
  MemberBody: body(
    {
      ID: { type: "string", description: "1–64 letters, digits, dots, dashes or underscores; never used before." },
      Peer: { type: "string", description: "host:port where the other members reach it." },
      API: { type: "string", description: "Base URL of its API." },
    },
    ["ID", "Peer", "API"],
  ),
  TransferBody: body({ To: { type: "string", description: "The member that is to lead." } }, ["To"]),
  PlainSelectBody: body(
    {
      Cases: { type: "array", items: { $ref: "#/components/schemas/Case" } },
      Choice: { enum: ["random", "order", null] },
    },
    ["Cases"],
  ),
} satisfies Record<string, Schema>;

const ajv = new Ajv({ allowUnionTypes: true, strictTypes: false });
ajv.addVocabulary(["components"]);
ajv.addSchema({ $id: "slct", components: { schemas: bodySchemas } });

/** A body whose shape is right, or the first reason why not. */
export type Check<T> = (envelope: Envelope | undefined) => T;

export const checkPut = check<PutBody<Raw>>("PutBody");
export const checkPatch = check<PatchBody<Raw>>("PatchBody");
export const checkLock = check<LockBody<Raw>>("LockBody");
export const checkHolder = check<HolderBody>("HolderBody");
export const checkPause = check<PauseBody>("PauseBody");
export const checkBuffer = check<BufferBody>("BufferBody");
export const checkClose = check<CloseBody<Raw>>("CloseBody");
export const checkSend = check<SendBody<Raw>>("SendBody");
export const checkEmpty = check<object>("EmptyBody");
export const checkMember = check<MemberBody>("MemberBody");
export const checkTransfer = check<TransferBody>("TransferBody");
export const checkPlainSelect = check<PlainSelectBody<Raw>>("PlainSelectBody");

function check<T>(name: keyof typeof bodySchemas): Check<T> {
  const validate: ValidateFunction<T> = ajv.compile<T>({ $ref: `slct#/components/schemas/${name}` });
  return (envelope) => {
    const value: unknown = envelope ?? {};
    if (envelope !== null && validate(value)) return value;
    throw shapeError(validate.errors?.[0]);
  };
}

function shapeError(error: ErrorObject | undefined): SlctError {
  const where = error === undefined || error.instancePath === "" ? "The body" : error.instancePath;
  return new SlctError("bad_request", `${where} ${error?.message ?? "must be object"}.`);
}
