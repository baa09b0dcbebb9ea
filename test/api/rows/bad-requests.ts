/**
 * Requests that are valid HTTP and valid JSON, and break a rule of the protocol. Rows P3, P8, P10–P12, P15 of the security
 * list; the limits are the defaults.
 */
import { parked, select } from "../behaviour/client.js";

/** One case of a select; all are `bad_request`. */
export const badCases: readonly (readonly [name: string, text: string])[] = [
  ["Data on a receive", '{"Op":1,"Chan":"c","Data":0}'],
  ["a channel that is no name", '{"Op":1,"Chan":7}'],
  ["a time on a receive", '{"Op":1,"Chan":"c","After":1}'],
  ["NotBefore on a timer", '{"Op":3,"At":1,"NotBefore":1}'],
  ["a channel on a default", '{"Op":4,"Chan":"c"}'],
  ["P10 Op 0", '{"Op":0}'],
  ["P10 Op in another case", '{"Op":"Recv"}'],
  ["P10 Op that is not whole", '{"Op":1.5}'],
  ["P10 no Op", "{}"],
  ["P10 no case", "1"],
  ...times("Chan", ['"1e3"', '"-1"', '""', '" 1"', '"soon"', "1e21", '"9999999999999999"']),
  ...times("At", ["1.5", "-1", "-0", "8640000000000001", '"1763683200000"', '"1969-12-31T23:59:59Z"']),
  ...times("At", ['"2023-02-29T00:00:00Z"', '"2023-13-01T00:00:00Z"', '"2023-01-01T24:00:00Z"']),
  ...times("At", ['"2023-01-01T00:00:00"', '"2023-01-01"']),
  ...times("After", ['"-1s"', "-1", "-0", '"500"', '""', '"1 s"', '"s"', '"1w"', '"1.s"', '"400000d"']),
];

function times(member: "Chan" | "At" | "After", values: readonly string[]): [string, string][] {
  return values.map((value) => [`P12 ${member} ${value}`, `{"Op":3,"${member}":${value}}`]);
}

/** Bodies of a PUT of a state. */
export const badBodies: readonly (readonly [name: string, body: string, code: string])[] = [
  ["depth 65", `{"Data":${"[".repeat(64)}${"]".repeat(64)}}`, "too_deep"],
  ["50,001 values", `{"Data":[${"0,".repeat(50_000)}0]}`, "too_many"],
  ["1,025 selects", JSON.stringify({ Selects: Array.from({ length: 1025 }, (_, i) => parked(String(i))) }), "too_many"],
  [
    "1,025 cases",
    JSON.stringify({ Selects: [select("1", ...Array.from({ length: 1025 }, () => ({ Op: 1 })))] }),
    "too_many",
  ],
  ["duplicate keys", '{"Data":1,"Data":2}', "bad_json"],
  ["malformed JSON", '{"Data":', "bad_json"],
  ["no body", "", "bad_json"],
  ["2^53", '{"Data":9007199254740992}', "unsafe_number"],
  ["1e400", '{"Data":{"deep":1e400}}', "unsafe_number"],
  ["no object", "[]", "bad_request"],
];

export const stateIds: readonly (readonly [name: string, id: string, status: number])[] = [
  ["512 bytes", "é".repeat(255) + "xx", 201],
  ["513 bytes", "é".repeat(256) + "x", 400],
  ["a control character", "a\u0000b", 400],
  ["a C1 control character", "a\u0085b", 400],
  ["poll", "poll", 400],
  ["a slash", "a/b", 201],
  ["a percent sign", "100%", 201],
  ["an emoji", "🚀", 201],
];

/** Of `GET /state/poll`: numbers out of range are clamped, what is no number is refused. */
export const pollQueries: readonly (readonly [query: string, status: number])[] = [
  ["wait=-1", 200],
  ["max=0", 200],
  ["max=1000", 200],
  ["lease=0", 200],
  ["lease=1e9", 200],
  ["max=2.0", 200],
  ["wait=", 400],
  ["wait=NaN", 400],
  ["wait=30s", 400],
  ["wait=0x1", 400],
  ["wait=Infinity", 400],
  ["max=ten", 400],
  ["max=1.5", 200],
  ["lease=", 400],
  ["wait=0&wait=0", 400],
  ["prefix=%ff", 400],
];
