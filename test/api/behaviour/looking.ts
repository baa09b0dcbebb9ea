/**
 * Protocol §3: reading a state, with and without a wait, listing, deleting.
 */
import { describe, expect, test } from "vitest";
import { chanPath, expectProblem, http, parked, ready, recv, select, statePath, unique } from "./client.js";

describe("§3 GET", () => {
  test("404 when there is none", async () => {
    expectProblem(await http.get(statePath(unique("none"))), 404, "not_found");
  });

  test("wait with until answers when the status is reached", async () => {
    const [id, chan] = [unique("until"), unique("chan")];
    await http.put(id, { Selects: [select("1", recv(chan))] });
    const waiting = http.get(`${statePath(id)}?wait=10&until=pending`);
    await http.send(chan, 1);
    expect((await waiting).body).toMatchObject({ Status: "pending" });
  });

  test("wait with after answers when the version is newer", async () => {
    const [id, chan] = [unique("after"), unique("chan")];
    await http.put(id, { Selects: [select("1", recv(chan))] });
    const waiting = http.get(`${statePath(id)}?wait=10&after=1`);
    await http.send(chan, 1);
    expect((await waiting).body).toMatchObject({ Version: 2 });
  });

  test("a wait that ends answers 200 with the current state", async () => {
    const id = unique("quiet");
    await http.put(id, { Selects: [parked("1")] });
    const answer = await http.get(`${statePath(id)}?wait=0.05&until=done`);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ Status: "waiting" });
  });

  test("a deletion ends the wait with 404", async () => {
    const id = unique("deleted");
    await http.put(id, { Selects: [parked("1")] });
    const waiting = http.get(`${statePath(id)}?wait=10&until=done`);
    await http.delete(`${statePath(id)}?force=true`);
    expectProblem(await waiting, 404, "not_found");
  });

  test("an unknown status is 400", async () => {
    expectProblem(await http.get(`${statePath(unique("x"))}?wait=1&until=finished`), 400, "bad_request");
  });

  test("If-None-Match with the current version is 304", async () => {
    const id = unique("etag");
    await http.put(id, { Selects: [parked("1")] });
    const answer = await http.get(statePath(id), { headers: { "If-None-Match": '"1"' } });
    expect([answer.status, answer.text, answer.headers.get("etag")]).toEqual([304, "", '"1"']);
    expect((await http.get(statePath(id), { headers: { "If-None-Match": '"0"' } })).status).toBe(200);
    expect((await http.get(statePath(id), { headers: { "If-None-Match": "*" } })).status).toBe(304);
  });

  test("HEAD answers as GET, without a body", async () => {
    const id = unique("head");
    await http.put(id, { Selects: [parked("1")] });
    const [head, get] = [await http.call("HEAD", statePath(id)), await http.get(statePath(id))];
    expect([head.status, head.text]).toEqual([200, ""]);
    for (const name of ["etag", "content-length", "content-type"])
      expect(head.headers.get(name)).toBe(get.headers.get(name));
  });
});

describe("§6 a HEAD changes nothing", () => {
  test("on poll it is refused and takes no state", async () => {
    const id = unique("head");
    await http.put(id, { Selects: [ready("1")] });
    const answer = await http.call("HEAD", `/state/poll?prefix=${id}`);
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET"]);
    expect(await http.state(id)).toMatchObject({ Status: "pending", Version: 1 });
  });

  test("on the event feed it ends, whatever is accepted", async () => {
    const answer = await http.call("HEAD", "/events", undefined, { headers: { Accept: "text/event-stream" } });
    expect([answer.status, answer.text]).toEqual([200, ""]);
  });
});

describe("§3 list and delete", () => {
  test("by prefix and status, in pages", async () => {
    const prefix = unique("list");
    for (const n of [1, 2, 3]) await http.put(`${prefix}-${n}`, { Selects: [n === 2 ? ready("1") : parked("1")] });
    const all = await http.get(`/state?prefix=${prefix}`);
    expect(all.body.States?.map(({ ID }) => ID)).toEqual([1, 2, 3].map((n) => `${prefix}-${n}`));
    expect(all.body.Cursor).toBeNull();
    const pending = await http.get(`/state?prefix=${prefix}&status=pending`);
    expect(pending.body.States).toMatchObject([{ ID: `${prefix}-2` }]);
    const first = await http.get(`/state?prefix=${prefix}&limit=2`);
    expect(first.body.States).toHaveLength(2);
    const rest = await http.get(`/state?prefix=${prefix}&limit=2&cursor=${first.body.Cursor}`);
    expect(rest.body.States).toMatchObject([{ ID: `${prefix}-3` }]);
  });

  test("by the channel they wait on", async () => {
    const [a, b, chan] = [unique("a"), unique("b"), unique("chan")];
    await http.put(a, { Selects: [select("1", recv(chan))] });
    await http.put(b, { Selects: [select("1", recv(unique("other")))] });
    expect((await http.get(`/state?chan=${chan}`)).body.States).toMatchObject([{ ID: a }]);
  });

  test("an empty parameter filters nothing", async () => {
    const prefix = unique("empty");
    await http.put(prefix, { Selects: [parked("1")] });
    const states = await http.get(`/state?prefix=${prefix}&status=&chan=&cursor=&limit=`);
    expect(states.body.States).toMatchObject([{ ID: prefix }]);
    await http.call("PUT", chanPath(prefix), { Buffer: 1 });
    const channels = await http.get(`/channel?prefix=${prefix}&cursor=&limit=`);
    expect(channels.body.Channels).toMatchObject([{ Chan: prefix }]);
  });

  test("a wrong status or cursor is 400", async () => {
    expectProblem(await http.get("/state?status=finished"), 400, "bad_request");
    expectProblem(await http.get("/state?cursor=~~~"), 400, "bad_request");
    expectProblem(await http.get("/state?limit=many"), 400, "bad_request");
  });

  test("DELETE with the lock or with force; its selects leave every queue in that entry", async () => {
    const [id, chan] = [unique("delete"), unique("chan")];
    await http.put(id, { Selects: [select("1", recv(chan))] });
    expectProblem(await http.delete(statePath(id)), 409, "lock_error");
    const deleted = await http.delete(`${statePath(id)}?force=true`);
    expect([deleted.status, deleted.body]).toEqual([200, { ID: id, Deleted: true }]);
    expectProblem(await http.get(chanPath(chan)), 404, "not_found");
    expectProblem(await http.send(chan, 1), 409, "not_ready");
    const held = await http.held(unique("delete"));
    expect((await http.delete(statePath(held.ID ?? ""), { Lock: held.Lock })).status).toBe(200);
  });

  test("deleting what is not there is 404", async () => {
    expectProblem(await http.delete(`${statePath(unique("none"))}?force=true`), 404, "not_found");
  });
});
