/**
 * Protocol §1 and the first half of §2: the state, its selects and results, and how it comes to be.
 */
import { describe, expect, test } from "vitest";
import { expectProblem, http, parked, ready, recv, select, send, statePath, unique } from "./client.js";

describe("§1 state", () => {
  test("a state without a result is waiting, with one pending, handed out running, put back without selects done", async () => {
    const [id, chan] = [unique("state"), unique("chan")];
    expect((await http.put(id, { Selects: [select("1", recv(chan))] })).body).toMatchObject({
      Status: "waiting",
      Version: 1,
    });
    await http.send(chan, "go");
    expect(await http.state(id)).toMatchObject({ Status: "pending", Version: 2 });
    const held = await http.take(id);
    expect(held).toMatchObject({ Status: "running", Version: 3, Attempt: 1 });
    const put = await http.put(id, { Lock: held.Lock });
    expect(put.body).toMatchObject({ ID: id, Status: "done", Version: 4 });
  });

  test("Data comes back exactly as it was put, white space outside strings aside", async () => {
    const id = unique("exact");
    await http.put(
      id,
      '{"Selects":[{"ID":"1","Cases":[]}], "Data" : { "b" : 1.0, "a" : [ 3.14159265358979323846, "x  y" ] , "1":"\\u0041" } }',
    );
    const { text } = await http.get(statePath(id));
    expect(text).toContain('"Data":{"b":1.0,"a":[3.14159265358979323846,"x  y"],"1":"\\u0041"}');
  });

  test("the Data of a case comes back exactly, in the select and in the Result of the receiver", async () => {
    const [chan, sender, receiver] = [unique("chan"), unique("sender"), unique("receiver")];
    await http.put(sender, `{"Selects":[{"ID":"1","Cases":[{"Op":2,"Chan":"${chan}","Data":{"n":1.50,"z":[ 1 ]}}]}]}`);
    expect((await http.get(statePath(sender))).text).toContain('"Data":{"n":1.50,"z":[1]}');
    await http.put(receiver, { Selects: [select("1", recv(chan))] });
    const { text, body } = await http.get(statePath(receiver));
    expect(text.split('"Data":{"n":1.50,"z":[1]}')).toHaveLength(3);
    expect(body.Results).toHaveLength(1);
  });

  test("Data may be omitted; Vars and Callback are shown", async () => {
    const id = unique("vars");
    await http.put(id, {
      Selects: [parked("1")],
      Vars: { step: "two" },
      Callback: { Type: 1, URI: "http://127.0.0.1:9/" },
    });
    const state = await http.state(id);
    expect(state).not.toHaveProperty("Data");
    expect(state).toMatchObject({ Vars: { step: "two" }, Callback: { Type: 1, URI: "http://127.0.0.1:9/" } });
  });

  test("Lock, LockUntil and Attempt are told to the holder only", async () => {
    const id = unique("secret");
    const held = await http.held(id);
    expect(held.LockUntil).toBeGreaterThan(held.UpdatedAt ?? 0);
    const seen = await http.state(id);
    expect(seen.Status).toBe("running");
    for (const member of ["Lock", "LockUntil", "Attempt"]) expect(seen).not.toHaveProperty(member);
  });

  test("a body ID other than the path's is 400, the same is accepted", async () => {
    const id = unique("named");
    expectProblem(await http.put(id, { ID: "other", Selects: [parked("1")] }), 400, "bad_request");
    expect((await http.put(id, { ID: id, Selects: [parked("1")] })).status).toBe(201);
  });

  test("unknown fields are ignored", async () => {
    const id = unique("unknown");
    expect((await http.put(id, { Selects: [{ ...parked("1"), Colour: 1 }], Whatever: { deep: [1] } })).status).toBe(
      201,
    );
    expect(await http.state(id)).not.toHaveProperty("Whatever");
  });

  test("Version counts entries that change the state, hand-out included, heartbeat not; it is the ETag", async () => {
    const id = unique("version");
    const held = await http.held(id);
    expect(held.Version).toBe(2);
    await http.post(`${statePath(id)}/lock`, { Lock: held.Lock, For: 60 });
    const got = await http.get(statePath(id));
    expect(got.body.Version).toBe(2);
    expect(got.headers.get("etag")).toBe('"2"');
  });
});

describe("§1 select and case", () => {
  test("ops are accepted as numbers and names and answered as numbers", async () => {
    const id = unique("ops");
    const At = Date.now() + 3_600_000;
    const Cases = [
      { Op: "recv", Chan: unique("a") },
      { Op: "send", Chan: unique("b"), Data: 1 },
      { Op: "time", At },
    ];
    await http.put(id, { Selects: [{ ID: "1", Cases, Choice: "order" }] });
    expect((await http.state(id)).Selects).toMatchObject([
      { ID: "1", Choice: "order", Cases: [{ Op: 1 }, { Op: 2, Data: 1 }, { Op: 3, At }] },
    ]);
    const other = unique("ops");
    await http.put(other, { Selects: [select("1", { Op: "default" })] });
    expect((await http.state(other)).Selects).toMatchObject([{ Choice: "random", Cases: [{ Op: 4 }] }]);
  });

  test("Data on a receive is 400, even null", async () => {
    for (const Data of ["x", null]) {
      const answer = await http.put(unique("swapped"), { Selects: [select("1", { Op: 1, Chan: "c", Data })] });
      expectProblem(answer, 400, "bad_request");
    }
  });

  test("Choice order takes the first ready case", async () => {
    const id = unique("order");
    const due = { Op: 3, At: 1 };
    await http.put(id, { Selects: [{ ID: "1", Choice: "order", Cases: [recv(null), due, due, { Op: 4 }] }] });
    expect((await http.state(id)).Results).toMatchObject([{ Case: 1, Op: 3 }]);
  });

  test("Choice random reaches every ready case", async () => {
    const due = { Op: 3, At: 1 };
    const picked = new Set<unknown>();
    for (let i = 0; i < 64 && picked.size < 2; i += 1) {
      picked.add((await http.post("/select", { Cases: [due, due] })).body.Case);
    }
    expect([...picked].sort()).toEqual([0, 1]);
  });

  test.each([
    ["two defaults", [{ Op: 4 }, { Op: 4 }]],
    ["an empty channel name", [{ Op: 1, Chan: "" }]],
    ["a channel with a control character", [{ Op: 1, Chan: "a\u0007" }]],
    ["a channel of 257 bytes", [{ Op: 1, Chan: "é".repeat(128) + "x" }]],
    ["an unknown op", [{ Op: 5 }]],
    ["a time without a time", [{ Op: 3 }]],
    ["a time in two forms", [{ Op: 3, At: 1, After: 1 }]],
  ])("%s: 400", async (_name, Cases) => {
    expectProblem(await http.put(unique("bad"), { Selects: [{ ID: "1", Cases }] }), 400, "bad_request");
  });

  test("a channel name of 256 bytes is accepted", async () => {
    const id = unique("long");
    const chan = unique("é").padEnd(255, "x");
    expect((await http.put(id, { Selects: [select("1", recv(chan))] })).status).toBe(201);
    await http.delete(`${statePath(id)}?force=true`);
  });

  test("a nil channel, null or left out, is never ready", async () => {
    const id = unique("nil");
    await http.put(id, { Selects: [select("1", recv(null), send(null, 1), { Op: 1 })] });
    expect(await http.state(id)).toMatchObject({ Status: "waiting" });
    const withDefault = await http.post("/select", { Cases: [recv(null), { Op: 4 }] });
    expect(withDefault.body).toMatchObject({ Case: 1, Op: 4, Ok: true });
  });

  test("select IDs are unique within a state and 1 to 256 characters", async () => {
    expectProblem(await http.put(unique("dup"), { Selects: [parked("1"), parked("1")] }), 400, "bad_request");
    expectProblem(await http.put(unique("empty"), { Selects: [parked("")] }), 400, "bad_request");
    expectProblem(await http.put(unique("long"), { Selects: [parked("é".repeat(257))] }), 400, "bad_request");
    expect((await http.put(unique("fits"), { Selects: [parked("é".repeat(256))] })).status).toBe(201);
  });
});

describe("§1 result", () => {
  test("a receive has Data, Ok and its channel; the send that met it has no Data", async () => {
    const [chan, a, b] = [unique("chan"), unique("a"), unique("b")];
    await http.put(a, { Selects: [select("s", recv(chan))] });
    await http.put(b, { Selects: [select("t", recv(null), send(chan, { n: 1 }))] });
    const [received] = (await http.state(a)).Results ?? [];
    const [sent] = (await http.state(b)).Results ?? [];
    expect(received).toMatchObject({ Select: "s", Case: 0, Op: 1, Chan: chan, Data: { n: 1 }, Ok: true });
    expect(sent).toMatchObject({ Select: "t", Case: 1, Op: 2, Chan: chan, Ok: true });
    expect(sent).not.toHaveProperty("Data");
    expect(received?.Index).toBe(sent?.Index);
  });

  test("a receive on a closed, drained channel has Ok false and Closed true", async () => {
    const chan = unique("closed");
    await http.post(`/channel/${chan}/close`);
    expect((await http.recv(chan)).body).toMatchObject({ Op: 1, Ok: false, Closed: true, Data: null });
  });

  test("a send that meets a closed channel has Ok false and the error closed", async () => {
    const chan = unique("closed");
    await http.post(`/channel/${chan}/close`);
    expect((await http.send(chan, 1)).body).toMatchObject({ Op: 2, Ok: false, Error: "closed" });
  });

  test("it stands in Results and in its select; Results are in the order of resolution", async () => {
    const [first, second, id] = [unique("first"), unique("second"), unique("state")];
    await http.put(id, { Selects: [select("1", recv(second)), select("2", recv(first)), parked("3")] });
    await http.send(first, "one");
    await http.send(second, "two");
    const state = await http.state(id);
    expect(state.Results).toMatchObject([{ Select: "2" }, { Select: "1" }]);
    expect(state.Selects).toMatchObject([{ Result: { Data: "two" } }, { Result: { Data: "one" } }, { ID: "3" }]);
    expect(state.Selects?.[2]).not.toHaveProperty("Result");
    expect(state.Results?.[0]?.Index).toBeLessThan(state.Results?.[1]?.Index ?? 0);
  });
});

describe("§2 create", () => {
  test("201 with the new status and version; selects may resolve at once", async () => {
    const answer = await http.put(unique("new"), { Selects: [ready("1")], Data: 1 });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ Status: "pending", Version: 1 });
    expect(answer.headers.get("etag")).toBe('"1"');
  });

  test("a second create is a lock error, reason exists", async () => {
    const id = unique("twice");
    await http.put(id, { Selects: [parked("1")] });
    const again = await http.put(id, { Selects: [parked("1")] });
    expectProblem(again, 409, "lock_error");
    expect(again.body.reason).toBe("exists");
  });

  test("without selects it is done at once", async () => {
    expect((await http.put(unique("done"), { Data: 1 })).body).toMatchObject({ Status: "done", Version: 1 });
  });

  test("the same Request-Id gets the first answer with 200, whatever the later body", async () => {
    const id = unique("retried");
    const headers = { "Request-Id": unique("r") };
    const first = await http.put(id, { Selects: [parked("1")] }, { headers });
    const second = await http.put(id, { Selects: [ready("2")] }, { headers });
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.text).toBe(first.text);
    expect(await http.state(id)).toMatchObject({ Status: "waiting" });
  });

  test("a late retry of a create does not resurrect a deleted state", async () => {
    const id = unique("dead");
    const headers = { "Request-Id": unique("r") };
    await http.put(id, { Selects: [parked("1")] }, { headers });
    await http.delete(`${statePath(id)}?force=true`);
    expect((await http.put(id, { Selects: [parked("1")] }, { headers })).status).toBe(200);
    expectProblem(await http.get(statePath(id)), 404, "not_found");
  });

  test("a Request-Id is scoped to its target", async () => {
    const headers = { "Request-Id": unique("r") };
    const statuses = [unique("a"), unique("b")].map(
      async (id) => (await http.put(id, { Data: 1 }, { headers })).status,
    );
    expect(await Promise.all(statuses)).toEqual([201, 201]);
  });

  test("a Request-Id has 1 to 128 characters", async () => {
    const put = async (length: number) =>
      (await http.put(unique("r"), { Data: 1 }, { headers: { "Request-Id": "x".repeat(length) } })).status;
    expect([await put(128), await put(129)]).toEqual([201, 400]);
  });
});
