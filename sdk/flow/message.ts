/**
 * What goes from step to step: a header, and a body that stays the JSON text it came as until somebody needs its value.
 *
 * Between two HTTP endpoints no byte of a body changes: `1.0`, long numbers and the order of keys stay.
 */
import type { Json } from "../../api/contract.js";
import { validate, type StandardSchema } from "../client/channel.js";
import { Failure, type WrittenError } from "../client/errors.js";

/** Names and values that go along: a trace, a tenant. */
export type Header = Readonly<Record<string, string>>;

/** Text of JSON. Immutable. */
export class RawMessage {
  readonly text: string;

  /** @throws Failure `bad_message` unless the text is JSON */
  constructor(text = "null") {
    this.text = text;
    try {
      JSON.parse(text);
    } catch (cause) {
      throw new Failure(`no JSON: ${text.slice(0, excerptMax)}`, { code: "bad_message", cause });
    }
  }

  /** Nothing becomes `null`. */
  static of(value: unknown): RawMessage {
    return value instanceof RawMessage ? value : new RawMessage(JSON.stringify(value));
  }

  /**
   * The value.
   * @throws SlctError `invalid_value` if it does not fit the schema; Failure `bad_message` for an asynchronous schema
   */
  decode<T = Json>(schema?: StandardSchema<unknown, T>): T {
    const value = JSON.parse(this.text) as T;
    if (schema === undefined) return value;
    const checked = validate({ name: "message", schema }, value);
    if (!(checked instanceof Promise)) return checked;
    throw new Failure("a message cannot wait for its schema", { code: "bad_message" });
  }

  toJSON(): Json {
    return this.decode();
  }

  toString(): string {
    return this.text;
  }
}

/** A header, and a body that is decoded when it is asked for. */
export interface Message {
  readonly header: Header;
  readonly body: RawMessage;
}

/** As messages stand in `Data`: the body is text. */
export type MessageData = { readonly header: Header; readonly body: string };

/** A message whose body has been decoded. */
export interface Decoded<Body = Json> {
  readonly header: Header;
  readonly body: Body;
}

/** What an endpoint of a flow is given. */
export interface StepInput<Request = Json> {
  /** ID of the execution, and of the step in it. */
  readonly flow: string;
  readonly step: string;
  /** What the flow was begun with. */
  readonly request: Decoded<Request>;
  /** What the steps have answered that this one requires, by their IDs. */
  readonly responses: { readonly [step: string]: Decoded };
  /** For a fallback: the step that failed, and how. */
  readonly failed?: { readonly step: string; readonly error: WrittenError };
  /** For a compensation: what the step had answered. */
  readonly response?: Decoded;
}

/** The same before anything is decoded. */
export interface StepInputData extends Omit<StepInput, "request" | "responses" | "response"> {
  readonly request: MessageData;
  readonly responses: { readonly [step: string]: MessageData };
  readonly response?: MessageData;
}

/** Its JSON, with every body as it came. */
export function inputText({ request, responses, response, ...rest }: StepInputData): string {
  const others = Object.entries(responses).map(([id, one]) => `${JSON.stringify(id)}:${messageText(one)}`);
  const members = [`"request":${messageText(request)}`, `"responses":{${others.join(",")}}`];
  if (response !== undefined) members.push(`"response":${messageText(response)}`);
  return `${JSON.stringify(rest).slice(0, -1)},${members.join(",")}}`;
}

/** What an endpoint answers when its answer is to have a header too. */
export function withHeader(header: Header, body: unknown): { readonly [name: string]: Json } {
  return { slct: mark, header: { ...header }, body: JSON.stringify(body ?? null) };
}

/** The answer of an endpoint as a message. @throws Failure `bad_message` if it says that it is one and is none */
export function responseOf(answer: Json): MessageData {
  const isMarked = typeof answer === "object" && answer !== null && "slct" in answer && answer["slct"] === mark;
  if (!isMarked) return { header: {}, body: JSON.stringify(answer) };
  const { header, body } = answer;
  const isHeader = typeof header === "object" && Object.values(header ?? {}).every((one) => typeof one === "string");
  if (!isHeader || typeof body !== "string") throw new Failure("no message", { code: "bad_message" });
  return { header: header as Header, body: new RawMessage(body).text };
}

export function messageData({ header = {}, body }: { readonly header?: Header; readonly body?: unknown }): MessageData {
  return { header, body: RawMessage.of(body).text };
}

export function readMessage({ header, body }: MessageData): Message {
  return { header, body: new RawMessage(body) };
}

const excerptMax = 100;
const mark = "message/1";

function messageText({ header, body }: MessageData): string {
  return `{"header":${JSON.stringify(header)},"body":${body}}`;
}
