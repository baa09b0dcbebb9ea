/**
 * Names in paths. Rows P7–P9, P14 of the security list.
 */
import { expect } from "vitest";
import { parked, recv, select, statePath, unique } from "../behaviour/client.js";
import { expectRefusal } from "../raw-http.js";
import { host, json, last, raw, rowsOf, type Row } from "./service.js";

export const pathRows: readonly Row[] = [
  ...rowsOf(
    (form) => `${form}: 400 bad_id`,
    [
      ["P8 a dot segment", "/state/.."],
      ["P8 an encoded dot segment", "/state/%2e%2e"],
      ["P8 an encoded NUL", "/state/a%00b"],
      ["P8 malformed percent", "/state/a%zz"],
      ["P8 percent at the end", "/state/a%"],
      ["P7 invalid UTF-8", "/state/%ff"],
      ["P7 an encoded surrogate", "/state/%ed%a0%80"],
      ["P8 the reserved word", "/state/poll/lock"],
      ["P8 no ID", "/state/"],
      ["P8 no ID before a verb", "/state//lock"],
      ["P8 no name of a channel", "/channel/"],
    ],
    async (service, _name, path) => {
      const method = path.endsWith("/lock") ? "DELETE" : "GET";
      expectRefusal(await raw(service, `${method} ${path} HTTP/1.1\r\n${host}${last}`), 400, "bad_id");
    },
  ),
  {
    name: "P8 composed and decomposed letters are two IDs",
    run: async ({ http }) => {
      const stem = unique("nfc");
      await http.put(`${stem}é`, { Selects: [parked("1")] });
      expect((await http.get(statePath(`${stem}e\u0301`))).status).toBe(404);
      expect((await http.get(statePath(`${stem}é`))).status).toBe(200);
    },
  },
  {
    name: "P8 names on a select stay apart from those of the path",
    run: async ({ http }) => {
      const id = unique("p8");
      expect((await http.put(id, { Selects: [select("../x", recv(`${id}/../c`))] })).status).toBe(201);
      const chan = await http.get(`/channel/${encodeURIComponent(`${id}/../c`)}`);
      expect(chan.body).toMatchObject({ Receivers: 1 });
    },
  },
  {
    name: "P9 %252e is decoded once: the ID is %2e",
    run: async (service) => {
      const stem = unique("p9");
      const put = `PUT /state/${stem}%252e HTTP/1.1\r\n${host}${json}Content-Length: 2\r\n${last}{}`;
      const answer = await raw(service, put);
      expect(answer.status).toBe(201);
      expect((JSON.parse(answer.body) as { ID: string }).ID).toBe(`${stem}%2e`);
    },
  },
  {
    name: "P14 IDs that differ only in where a slash stands never meet",
    run: async ({ http }) => {
      const stem = unique("p14");
      const ids = [`${stem}/a/b`, `${stem}/a`, `${stem}/a/b/lock`, `${stem}%2Fa`];
      for (const [i, id] of ids.entries()) expect((await http.put(id, { Data: i })).status).toBe(201);
      for (const [i, id] of ids.entries()) expect((await http.state(id)).Data).toBe(i);
    },
  },
];
