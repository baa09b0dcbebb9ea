/**
 * Bodies that are refused whatever route they come to, and the code they are refused with. Rows P1–P7 of the security
 * list; the limits are the defaults.
 */
const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

export const badTexts: readonly (readonly [name: string, text: string, code: string])[] = [
  ["P1 empty", "", "bad_json"],
  ["P1 white space only", " \n", "bad_json"],
  ["P1 truncated object", '{"a":1', "bad_json"],
  ["P1 truncated string", '"abc', "bad_json"],
  ["P1 truncated escape", '"\\', "bad_json"],
  ["P1 truncated unicode escape", '"\\u12', "bad_json"],
  ["P1 truncated word", "tru", "bad_json"],
  ["P1 truncated number", "-", "bad_json"],
  ["P1 trailing comma in an array", "[1,]", "bad_json"],
  ["P1 trailing comma in an object", '{"a":1,}', "bad_json"],
  ["P1 unquoted key", "{a:1}", "bad_json"],
  ["P1 single quotes", "{'a':1}", "bad_json"],
  ["P1 missing colon", '{"a" 1}', "bad_json"],
  ["P1 two values", "1 2", "bad_json"],
  ["P1 comment", "/* */ 1", "bad_json"],
  ["P1 leading zero", "01", "bad_json"],
  ["P1 leading plus", "+1", "bad_json"],
  ["P1 bare point", "1.", "bad_json"],
  ["P1 bare exponent", "1e", "bad_json"],
  ["P1 control character in a string", '"\n"', "bad_json"],
  ["P1 unknown escape", '"\\x41"', "bad_json"],
  ["P1 NUL byte", "\0", "bad_json"],
  ["P1 NUL byte after the value", "1\0", "bad_json"],
  ["P2 depth 65", nested(65), "too_deep"],
  ["P2 depth 65 inside opaque data", `{"Data":${nested(64)}}`, "too_deep"],
  ["P2 depth 5,000", nested(5000), "too_deep"],
  ["P3 50,001 values", `[${"1,".repeat(49_999)}1]`, "too_many"],
  ["P3 50,001 values inside opaque data", `{"Data":[${"0,".repeat(49_998)}0]}`, "too_many"],
  ["P4 duplicate key", '{"a":1,"a":2}', "bad_json"],
  ["P4 duplicate key behind an escape", '{"a":1,"\\u0061":2}', "bad_json"],
  ["P4 duplicate key inside opaque data", '{"Data":{"a":1,"b":2,"a":3}}', "bad_json"],
  ["P4 duplicate __proto__", '{"__proto__":1,"__proto__":2}', "bad_json"],
  ["P6 double overflow", "1e400", "unsafe_number"],
  ["P6 double overflow without an exponent", `${"9".repeat(400)}.0`, "unsafe_number"],
  ["P6 2^53", "9007199254740992", "unsafe_number"],
  ["P6 2^53+1", "9007199254740993", "unsafe_number"],
  ["P6 -2^53", "-9007199254740992", "unsafe_number"],
  ["P6 2^53+1 inside opaque data", '{"Data":{"deep":[9007199254740993]}}', "unsafe_number"],
  ["P6 NaN", "NaN", "bad_json"],
  ["P6 Infinity", "-Infinity", "bad_json"],
  ["P7 byte order mark", "\ufeff{}", "bad_json"],
];

export const badUtf8: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ["a lone continuation byte", [0x22, 0x80, 0x22]],
  ["an overlong form", [0x22, 0xc0, 0xaf, 0x22]],
  ["an encoded surrogate", [0x22, 0xed, 0xa0, 0x80, 0x22]],
  ["a truncated character", [0x22, 0xe2, 0x82, 0x22]],
  ["UTF-16", [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
];
