/**
 * Protocol §2: put-back, PATCH, and what both apply in the same entry.
 */
import { describe, expect, test } from "vitest";
import { chanPath, expectProblem, http, parked, ready, recv, select, send, statePath, unique } from "./client.js";
import type { Body } from "./client.js";

/** Held, with "1" delivered and "2" unresolved on a channel. */
async function heldWithWaiting(): Promise<{ id: string; chan: string; held: Body }> {
  const [id, chan] = [unique("held"), unique("chan")];
  return { id, chan, held: await http.held(id, { Selects: [ready("1"), select("2", recv(chan))] }) };
}
const kept = (chan: string) => select("2", recv(chan));

describe("§2 put back", () => {
  test("200 with the lock in the body or in the header Slct-Lock", async () => {
    for (const inHeader of [false, true]) {
      const { id, chan, held } = await heldWithWaiting();
      const Lock = held.Lock ?? "";
      const answer = inHeader
        ? await http.put(id, { Selects: [kept(chan)] }, { headers: { "Slct-Lock": Lock } })
        : await http.put(id, { Lock, Selects: [kept(chan)] });
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ Status: "waiting" });
    }
  });

  test("two different locks in body and header are 400", async () => {
    const { id, held } = await heldWithWaiting();
    const answer = await http.put(id, { Lock: held.Lock }, { headers: { "Slct-Lock": "other" } });
    expectProblem(answer, 400, "bad_request");
  });

  test("If-Match is the optimistic check on top", async () => {
    const { id, chan, held } = await heldWithWaiting();
    const body = { Lock: held.Lock, Selects: [kept(chan)] };
    expectProblem(await http.put(id, body, { headers: { "If-Match": '"1"' } }), 412, "version_mismatch");
    for (const never of ['W/"2"', '"x"', '""', '"-1", W/"2"']) {
      expectProblem(await http.put(id, body, { headers: { "If-Match": never } }), 412, "version_mismatch");
    }
    for (const malformed of ["2", '"2', '"2",, x', '"2", "3"']) {
      expectProblem(await http.put(id, body, { headers: { "If-Match": malformed } }), 400, "bad_request");
    }
    expect((await http.put(id, body, { headers: { "If-Match": `"${held.Version}"` } })).status).toBe(200);
  });

  test("a delivered result that is still there: 422 result_not_processed", async () => {
    const { id, held } = await heldWithWaiting();
    const answer = await http.put(id, { Lock: held.Lock, Selects: held.Selects });
    expectProblem(answer, 422, "result_not_processed");
  });

  test("an unresolved select that is missing: 422 select_dropped, named", async () => {
    const { id, held } = await heldWithWaiting();
    const answer = await http.put(id, { Lock: held.Lock, Selects: [] });
    expectProblem(answer, 422, "select_dropped");
    expect(answer.text).toContain('"2"');
  });

  test("an unresolved select that changed: 422 select_dropped", async () => {
    const { id, held } = await heldWithWaiting();
    const answer = await http.put(id, { Lock: held.Lock, Selects: [select("2", recv("another"))] });
    expectProblem(answer, 422, "select_dropped");
  });

  test("an echo of what was handed out is unchanged, in every form of a case", async () => {
    const id = unique("echo");
    const hour = Date.now() + 3_600_000;
    const Cases = [
      recv(unique("c")),
      { Op: "recv" },
      send(unique("c"), { n: 1 }),
      { Op: 2, Chan: unique("c") },
      { Op: 3, Chan: String(Math.ceil(hour / 1000)) },
      { Op: 3, Chan: hour / 1000 },
      { Op: 3, At: hour },
      { Op: 3, At: new Date(hour).toISOString() },
      { Op: 3, After: "1h30m" },
      { Op: 1, Chan: unique("c"), NotBefore: hour },
    ];
    const held = await http.held(id, { Selects: [ready("1"), { ID: "2", Cases }] });
    const echo = held.Selects?.filter((one) => one.ID === "2");
    const answer = await http.put(id, { Lock: held.Lock, Selects: echo });
    expect(answer.body).toMatchObject({ Status: "waiting" });
    expect((await http.state(id)).Selects).toEqual(echo);
  });

  test("the original text sent again is unchanged too; After does not restart", async () => {
    const id = unique("again");
    const two = { ID: "2", Cases: [{ Op: "time", After: "1h" }] };
    const held = await http.held(id, { Selects: [ready("1"), two] });
    const answer = await http.put(id, { Lock: held.Lock, Selects: [two] });
    expect(answer.status).toBe(200);
    expect((await http.state(id)).Selects).toEqual(held.Selects?.filter((one) => one.ID === "2"));
  });

  test("Cancel removes an unresolved select; its channel is free", async () => {
    const { id, chan, held } = await heldWithWaiting();
    expect((await http.put(id, { Lock: held.Lock, Cancel: ["2"] })).body).toMatchObject({ Status: "done" });
    expectProblem(await http.send(chan, 1), 409, "not_ready");
  });

  test("Cancel of a select that resolved meanwhile: 409 already_resolved with the result, nothing applied", async () => {
    const { id, chan, held } = await heldWithWaiting();
    await http.post(`${chanPath(chan)}/send`, '{"Data":1.50}');
    const answer = await http.put(id, { Lock: held.Lock, Cancel: ["2"], Data: "new" });
    expectProblem(answer, 409, "already_resolved");
    expect(answer.body.Result).toMatchObject({ Select: "2", Op: 1, Ok: true });
    expect(answer.text).toContain('"Data":1.50');
    expect(await http.state(id)).not.toHaveProperty("Data");
  });

  test("a select that resolved after hand-out keeps its result, listed or not: pending at once", async () => {
    for (const listed of [true, false]) {
      const { id, chan, held } = await heldWithWaiting();
      await http.send(chan, "late");
      const answer = await http.put(id, { Lock: held.Lock, Selects: listed ? [kept(chan)] : [] });
      expect(answer.body).toMatchObject({ Status: "pending" });
      expect((await http.state(id)).Results).toMatchObject([{ Select: "2", Data: "late" }]);
    }
  });

  test("the ID of a processed select may be reused in the same request", async () => {
    const { id, chan, held } = await heldWithWaiting();
    const answer = await http.put(id, { Lock: held.Lock, Selects: [parked("1"), kept(chan)] });
    expect(answer.body).toMatchObject({ Status: "waiting" });
    expect((await http.state(id)).Selects).toHaveLength(2);
  });

  test("cancelling an unknown ID or listing a cancelled one: 400", async () => {
    const { id, chan, held } = await heldWithWaiting();
    const Lock = held.Lock;
    expectProblem(await http.put(id, { Lock, Selects: [kept(chan)], Cancel: ["9"] }), 400, "bad_request");
    expectProblem(await http.put(id, { Lock, Selects: [kept(chan)], Cancel: ["2"] }), 400, "bad_request");
  });

  test("reusing the ID of a select that resolved after hand-out: 400", async () => {
    const { id, chan, held } = await heldWithWaiting();
    await http.send(chan, "late");
    const answer = await http.put(id, { Lock: held.Lock, Selects: [select("2", recv("another"))] });
    expectProblem(answer, 400, "bad_request");
  });

  test("a wrong lock is stale, none is missing for PATCH, DELETE and lock routes; nothing is applied", async () => {
    const { id, held } = await heldWithWaiting();
    const stale = await http.put(id, { Lock: "wrong", Cancel: ["2"] });
    expectProblem(stale, 409, "lock_error");
    expect(stale.body).toMatchObject({ reason: "stale", Version: held.Version, LockUntil: held.LockUntil });
    for (const answer of [
      await http.patch(id, { Data: 1 }),
      await http.delete(statePath(id)),
      await http.delete(`${statePath(id)}/lock`),
    ]) {
      expectProblem(answer, 409, "lock_error");
      expect(answer.body.reason).toBe("missing");
    }
    expect(await http.state(id)).toMatchObject({ Status: "running", Version: held.Version });
  });

  test("a lock whose lease ran out is refused", async () => {
    const id = unique("expired");
    await http.put(id, { Selects: [ready("1")] });
    const held = await http.take(id, "&lease=1");
    await http.get(`${statePath(id)}?wait=10&until=pending`);
    const answer = await http.put(id, { Lock: held.Lock });
    expectProblem(answer, 409, "lock_error");
    expect(answer.body).toMatchObject({ reason: "expired", Version: 3, LockUntil: null });
  });

  test("a put-back on a missing state: 404", async () => {
    expectProblem(await http.put(unique("nowhere"), { Lock: "x" }), 404, "not_found");
    expectProblem(await http.patch(unique("nowhere"), { Lock: "x" }), 404, "not_found");
  });

  test("repeating the last accepted put-back is 200 with the same answer, however it is written", async () => {
    const { id, chan, held } = await heldWithWaiting();
    const Lock = held.Lock;
    const first = await http.put(id, { Lock, Data: { a: 1 }, Selects: [kept(chan)] });
    const second = await http.put(
      id,
      `{ "Selects" : [{"Cases":[{"Chan":"${chan}","Op":"recv"}],"ID":"2"}], "Data": {"a": 1}, "Lock": "${Lock}" }`,
    );
    expect([second.status, second.text]).toEqual([200, first.text]);
    expectProblem(await http.put(id, { Lock, Data: { a: 2 }, Selects: [kept(chan)] }), 409, "lock_error");
  });

  test("a kept select keeps its place in the queue", async () => {
    const { id, chan, held } = await heldWithWaiting();
    const later = unique("later");
    await http.put(later, { Selects: [select("1", recv(chan))] });
    await http.put(id, { Lock: held.Lock, Selects: [kept(chan)] });
    await http.send(chan, "first");
    expect(await http.state(id)).toMatchObject({ Status: "pending" });
    expect(await http.state(later)).toMatchObject({ Status: "waiting" });
  });
});

describe("§2 PATCH", () => {
  test("processed selects go, unresolved ones stay, members left out stay", async () => {
    const [id, chan] = [unique("patch"), unique("chan")];
    const held = await http.held(id, { Data: 1, Vars: { v: 1 }, Selects: [ready("1"), select("2", recv(chan))] });
    const answer = await http.patch(id, { Lock: held.Lock, Data: 2, Add: [parked("3")] });
    expect(answer.body).toMatchObject({ Status: "waiting" });
    const state = await http.state(id);
    expect(state).toMatchObject({ Data: 2, Vars: { v: 1 }, Selects: [{ ID: "2" }, { ID: "3" }] });
  });

  test("null removes Vars and Callback, and is a Data as good as any", async () => {
    const id = unique("patch");
    const held = await http.held(id, { Data: 1, Vars: { v: 1 }, Selects: [ready("1"), parked("2")] });
    await http.patch(id, { Lock: held.Lock, Data: null, Vars: null, Callback: null });
    const state = await http.state(id);
    expect(state).toHaveProperty("Data", null);
    for (const member of ["Vars", "Callback"]) expect(state).not.toHaveProperty(member);
  });

  test("Cancel works as in PUT", async () => {
    const { id, held } = await heldWithWaiting();
    expect((await http.patch(id, { Lock: held.Lock, Cancel: ["2"] })).body).toMatchObject({ Status: "done" });
  });
});
