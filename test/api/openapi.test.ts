/**
 * The OpenAPI document: complete, closed under its references, true to the routes and to real answers.
 */
import { Ajv } from "ajv";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openapiDocument } from "../../api/openapi.js";
import { routes } from "../../api/routes.js";
import { answerSchemas } from "../../api/schema-out.js";
import { bodySchemas } from "../../api/schema.js";
import { Client, parked, ready, recv, select, send, statePath, unique } from "./behaviour/client.js";
import { startLocalServer } from "./local-server.js";
import type { LocalServer } from "./local-server.js";

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: object }>>;
  readonly parameters?: readonly { readonly $ref: string }[];
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, object>>>>;
}
const document = openapiDocument() as Document;
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, route: `${method.toUpperCase()} ${path}`, operation })),
);

describe("structure", () => {
  test("it names every route and no other", () => {
    const served = routes.flatMap(({ path, methods }) =>
      Object.keys(methods).map((method) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`),
    );
    expect(operations.map(({ route }) => route).sort()).toEqual(served.sort());
  });

  test("every reference leads somewhere", () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)];
    expect(references.length).toBeGreaterThan(50);
    for (const [, kind = "", name = ""] of references) expect(document.components[kind], name).toHaveProperty(name);
  });

  test("no component is left unused", () => {
    const text = JSON.stringify(document);
    for (const [kind, members] of Object.entries(document.components)) {
      for (const name of Object.keys(members)) expect(text).toContain(`"#/components/${kind}/${name}"`);
    }
  });

  test("operations have an ID of their own, a success, an error, and the parameters of their path", () => {
    expect(document.openapi).toBe("3.1.0");
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
    for (const { path, operation } of operations) {
      expect(Object.keys(operation.responses).some((status) => status.startsWith("2"))).toBe(true);
      expect(operation.responses).toHaveProperty("500");
      for (const [, name = ""] of path.matchAll(/\{(\w+)\}/g)) {
        expect(operation.parameters).toContainEqual({ $ref: `#/components/parameters/${name}` });
      }
    }
  });
});

describe("real answers have the shape that is documented", () => {
  const ajv = new Ajv({ allowUnionTypes: true, strict: false });
  ajv.addFormat("uri-reference", true);
  ajv.addSchema({ $id: "slct", components: { schemas: { ...bodySchemas, ...closed() } } });
  let server: LocalServer;
  beforeAll(async () => {
    server = await startLocalServer();
  });
  afterAll(() => server.close());
  const http = new Client(() => ({ url: server.url, attemptsMax: 3 }));

  /** No answer has a member that is not documented; errors may. */
  function closed(): object {
    return Object.fromEntries(
      Object.entries(answerSchemas).map(([name, schema]) => {
        const open = name === "Problem" || !("properties" in schema);
        return [name, open ? schema : { ...schema, additionalProperties: false }];
      }),
    );
  }

  function expectShape(name: keyof typeof answerSchemas, value: unknown): void {
    const validate = ajv.compile({ $ref: `slct#/components/schemas/${name}` });
    expect({ valid: validate(value), errors: validate.errors }).toEqual({ valid: true, errors: null });
  }

  test("states", async () => {
    const [id, chan] = [unique("shape"), unique("chan")];
    const Selects = [ready("1"), select("2", recv(chan), send(null, 1), { Op: 3, Chan: "15600421234" }), parked("3")];
    const Callback = { Type: 1, URI: "http://127.0.0.1:9/" };
    expectShape(
      "PutAnswer",
      (await http.put(id, { Selects, Vars: {}, Data: 1, Spawn: [{ ID: `${id}x` }, { ID: id }] })).body,
    );
    const handOuts = (await http.get(`/state/poll?prefix=${id}`)).body as readonly { Lock: string }[];
    expectShape("HandOuts", handOuts);
    const Lock = handOuts[0]?.Lock;
    expectShape("Lease", (await http.post(`${statePath(id)}/lock`, { Lock, Details: 1 })).body);
    expectShape("PutAnswer", (await http.patch(id, { Lock, Hold: true, Callback })).body);
    expectShape("StateAnswer", (await http.delete(`${statePath(id)}/lock`, { Lock })).body);
    expectShape("StateAnswer", (await http.call("PUT", `${statePath(id)}/pause`)).body);
    expectShape("State", (await http.get(statePath(id))).body);
    expectShape("States", (await http.get(`/state?prefix=${id}`)).body);
    expectShape("StateDeleted", (await http.delete(`${statePath(id)}?force=true`)).body);
    expectShape("Problem", (await http.get(statePath(id))).body);
  });

  test("channels, plain requests, events, operations", async () => {
    const chan = unique("shape");
    expectShape("Channel", (await http.call("PUT", `/channel/${chan}`, { Buffer: 1 })).body);
    expectShape("Result", (await http.send(chan, 1)).body);
    expectShape("Result", (await http.recv(chan)).body);
    expectShape("Channel", (await http.post(`/channel/${chan}/close`)).body);
    expectShape("Result", (await http.recv(chan)).body);
    expectShape("Result", (await http.send(chan, 1)).body);
    expectShape("Channels", (await http.get("/channel")).body);
    expectShape("ChannelDeleted", (await http.delete(`/channel/${chan}`)).body);
    expectShape("Events", (await http.get("/events")).body);
    expectShape("Cluster", (await http.get("/cluster")).body);
    const member = { ID: "n2", Peer: "h:1", API: "http://h" };
    expectShape("Member", (await http.post("/cluster/members", member)).body);
    expectShape("Leader", (await http.post("/cluster/transfer", { To: "local" })).body);
    expectShape("Problem", (await http.delete("/cluster/members/local")).body);
    expectShape("Alive", (await http.get("/healthz")).body);
    expectShape("Ready", (await http.get("/readyz")).body);
  });
});
