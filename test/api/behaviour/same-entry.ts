/**
 * Protocol §2: what a PUT or PATCH does beside its state, in the same entry, and the wait that follows it.
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

describe("§2 in the same entry", () => {
  test("Hold stores, keeps the lock and extends it; the delivered selects stay until the final put-back", async () => {
    const { id, chan, held } = await heldWithWaiting();
    const Lock = held.Lock;
    const hold = await http.put(id, { Lock, Hold: true, Data: "checkpoint", Selects: [kept(chan), parked("3")] });
    expect(hold.body).toMatchObject({ Status: "running", Lock, Attempt: 1 });
    expect(hold.body.LockUntil).toBeGreaterThanOrEqual(held.LockUntil ?? 0);
    expect((await http.state(id)).Selects).toHaveLength(3);
    const final = await http.put(id, { Lock, Selects: [kept(chan), parked("3")] });
    expect(final.body).toMatchObject({ Status: "waiting" });
    expect((await http.state(id)).Selects).toMatchObject([{ ID: "2" }, { ID: "3" }]);
  });

  test("Spawn creates states; one that exists is reported, not an error", async () => {
    const [id, born, there] = [unique("parent"), unique("born"), unique("there")];
    await http.put(there, { Selects: [parked("1")] });
    const Spawn = [
      { ID: born, Data: 1, Selects: [ready("1")] },
      { ID: there, Selects: [] },
    ];
    const answer = await http.put(id, { Spawn });
    expect(answer.body.Spawned).toEqual([
      { ID: born, Status: "pending", Version: 1 },
      { ID: there, Code: "exists" },
    ]);
    expect(await http.state(born)).toMatchObject({ Data: 1, Status: "pending" });
  });

  test("Strict makes an existing one 409 exists, and nothing is applied", async () => {
    const [id, born, there] = [unique("parent"), unique("born"), unique("there")];
    await http.put(there, { Selects: [parked("1")] });
    expectProblem(await http.put(id, { Strict: true, Spawn: [{ ID: born }, { ID: there }] }), 409, "exists");
    expectProblem(await http.get(statePath(id)), 404, "not_found");
    expectProblem(await http.get(statePath(born)), 404, "not_found");
  });

  test("a spawned item needs an ID and has no lock", async () => {
    expectProblem(await http.put(unique("p"), { Spawn: [{ Data: 1 }] }), 400, "bad_request");
    expectProblem(await http.put(unique("p"), { Spawn: [{ ID: unique("c"), Lock: "x" }] }), 400, "bad_request");
    expectProblem(await http.put(unique("p"), { Spawn: [{ ID: "poll" }] }), 400, "bad_id");
  });

  test("order inside the entry: Make, Close, own selects, Spawn", async () => {
    const [id, child, made, shut] = [unique("p"), unique("c"), unique("made"), unique("shut")];
    await http.put(id, {
      Make: [{ Chan: made, Buffer: 1 }],
      Close: [{ Chan: shut, Value: "over" }],
      Selects: [select("1", send(made, "for the child")), select("2", recv(shut))],
      Spawn: [{ ID: child, Selects: [select("1", recv(made))] }],
    });
    expect((await http.state(id)).Results).toMatchObject([
      { Select: "1", Op: 2, Ok: true },
      { Select: "2", Op: 1, Ok: false, Closed: true, Data: "over" },
    ]);
    expect((await http.state(child)).Results).toMatchObject([{ Data: "for the child" }]);
  });

  test("Close takes names too", async () => {
    const chan = unique("chan");
    await http.put(unique("closer"), { Close: [chan] });
    expect((await http.get(chanPath(chan))).body).toMatchObject({ Closed: true });
  });

  test("?wait hands this state out when it is pending, status as without wait", async () => {
    const id = unique("step");
    const created = await http.put(id, { Selects: [ready("1")] }, { query: "?wait=10&lease=60" });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ ID: id, Status: "running", Attempt: 1, Results: [{ Select: "1" }] });
    const chan = unique("chan");
    const again = http.put(id, { Lock: created.body.Lock, Selects: [select("2", recv(chan))] }, { query: "?wait=10" });
    await http.send(chan, "wake", "?wait=10");
    const woken = await again;
    expect(woken.status).toBe(200);
    expect(woken.body).toMatchObject({ Status: "running", Results: [{ Select: "2", Data: "wake" }] });
    expect(woken.body.Lock).not.toBe(created.body.Lock);
  });

  test("a repeat that joins the wait of a create gets its answer with 200", async () => {
    const [id, chan] = [unique("joined"), unique("chan")];
    const options = { query: "?wait=10", headers: { "Request-Id": unique("r") } };
    const put = () => http.put(id, { Selects: [select("1", recv(chan))] }, options);
    const both = Promise.all([put(), put()]);
    await http.send(chan, "wake", "?wait=10");
    const [one, other] = await both;
    expect([one.status, other.status].sort()).toEqual([200, 201]);
    expect(one.text).toBe(other.text);
  });

  test("?wait that ends gives the ordinary answer", async () => {
    const answer = await http.put(unique("quiet"), { Selects: [parked("1")] }, { query: "?wait=0.05" });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ Status: "waiting", Version: 1 });
    expect(answer.body).not.toHaveProperty("Lock");
  });

  test("?wait is ignored for a state with a callback", async () => {
    const body = { Selects: [ready("1")], Callback: { Type: 1, URI: "http://127.0.0.1:9/" } };
    const answer = await http.put(unique("called"), body, { query: "?wait=10" });
    expect(answer.body).not.toHaveProperty("Results");
  });
});
