/**
 * Protocol §3: poll, leases, callbacks' face, pause and resume, reading with a wait, listing, deleting.
 */
import { describe, expect, test } from "vitest";
import { pollQueries } from "../rows/bad-requests.js";
import { expectProblem, http, parked, ready, recv, select, statePath, unique } from "./client.js";
import type { Body } from "./client.js";

const uri = "http://127.0.0.1:9/";

const poll = async (prefix: string, query = "") =>
  (await http.get(`/state/poll?prefix=${prefix}${query}`)).body as readonly Body[];

describe("§3 poll", () => {
  test("200 and [] when nothing is pending and wait is left out", async () => {
    const answer = await http.get(`/state/poll?prefix=${unique("none")}`);
    expect([answer.status, answer.text]).toEqual([200, "[]"]);
  });

  test("a wait that ends answers []", async () => {
    expect(await poll(unique("none"), "&wait=0.05")).toEqual([]);
  });

  test("a waiting poll takes the state that becomes pending", async () => {
    const [id, chan] = [unique("woken"), unique("chan")];
    await http.put(id, { Selects: [select("1", recv(chan))], Data: "kept" });
    const polled = poll(id, "&wait=10");
    await http.send(chan, "now", "?wait=10");
    expect(await polled).toMatchObject([
      { ID: id, Status: "running", Data: "kept", Results: [{ Data: "now" }], Attempt: 1 },
    ]);
  });

  test("oldest pending first, max at most, under the prefix only", async () => {
    const prefix = unique("queue");
    for (const n of [3, 1, 2]) await http.put(`${prefix}/${n}`, { Selects: [ready("1")] });
    const two = await poll(`${prefix}/`, "&max=2");
    expect(two.map(({ ID }) => ID)).toEqual([`${prefix}/3`, `${prefix}/1`]);
    expect((await poll(`${prefix}/`)).map(({ ID }) => ID)).toEqual([`${prefix}/2`]);
  });

  test("a state is with one holder at a time", async () => {
    const id = unique("one");
    await http.held(id);
    expect(await poll(id)).toEqual([]);
  });

  test("states with a callback are not polled", async () => {
    const id = unique("called");
    await http.put(id, { Selects: [ready("1")], Callback: { Type: 1, URI: uri } });
    expect(await poll(id)).toEqual([]);
  });

  test("when the lease ends it is pending again, with Attempt + 1 and a new lock", async () => {
    const id = unique("lease");
    await http.put(id, { Selects: [ready("1")] });
    const first = await http.take(id, "&lease=1");
    const second = await http.take(id);
    expect(second.Attempt).toBe(2);
    expect(second.Lock).not.toBe(first.Lock);
  });

  test("Attempt restarts at 1 after a put-back", async () => {
    const id = unique("attempt");
    await http.put(id, { Selects: [ready("1")] });
    await http.take(id, "&lease=1");
    const second = await http.take(id);
    await http.put(id, { Lock: second.Lock, Selects: [ready("2")] });
    expect((await http.take(id)).Attempt).toBe(1);
  });

  test("a poller that went away takes nothing with it beyond its lease", async () => {
    const id = unique("gone");
    const leaving = new AbortController();
    const polled = http.get(`/state/poll?prefix=${id}&wait=60&lease=1`, { signal: leaving.signal });
    leaving.abort();
    await expect(polled).rejects.toThrow();
    await http.put(id, { Selects: [ready("1")] });
    expect((await http.take(id)).ID).toBe(id);
  });

  test.each(pollQueries)("P15 numbers out of range are clamped, non-numbers are 400: %s", async (query, status) => {
    const prefix = query.startsWith("prefix") ? "" : `&prefix=${unique("none")}`;
    expect((await http.get(`/state/poll?${query}${prefix}`)).status).toBe(status);
  });
});

describe("§3 lock", () => {
  test("a heartbeat extends the lease; its Details are the next holder's LastDetails", async () => {
    const id = unique("beat");
    const held = await http.held(id);
    const beat = await http.post(`${statePath(id)}/lock`, `{"Lock":"${held.Lock}","For":3600,"Details":{"at": 1.50}}`);
    expect(beat.body).toEqual({ Lock: held.Lock, LockUntil: beat.body.LockUntil });
    expect(beat.body.LockUntil).toBeGreaterThan((held.LockUntil ?? 0) + 3_000_000);
    await http.delete(`${statePath(id)}/lock`, { Lock: held.Lock });
    const { text } = await http.get(`/state/poll?prefix=${id}`);
    expect(text).toContain('"LastDetails":{"at":1.50}');
  });

  test("For is clamped; what is no number is 400", async () => {
    const id = unique("for");
    const held = await http.held(id);
    const beat = (For: unknown) => http.post(`${statePath(id)}/lock`, { Lock: held.Lock, For });
    expect((await beat(1e9)).body.LockUntil).toBeLessThanOrEqual(Date.now() + 3_600_000);
    expectProblem(await beat("30"), 400, "bad_request");
  });

  test("without a lock it takes a lease by hand and answers the whole state", async () => {
    const id = unique("hand");
    await http.put(id, { Data: 1, Selects: [parked("1")] });
    const taken = await http.post(`${statePath(id)}/lock`, { For: 60 });
    expect(taken.body).toMatchObject({ ID: id, Data: 1, Status: "running", Selects: [{ ID: "1" }] });
    expect(taken.body.Lock).toBeTypeOf("string");
    expect((await http.put(id, { Lock: taken.body.Lock, Cancel: ["1"] })).body).toMatchObject({ Status: "done" });
  });

  test("Details given with a lease by hand are the next holder's LastDetails", async () => {
    const id = unique("hand");
    await http.put(id, { Selects: [parked("1")] });
    const taken = await http.post(`${statePath(id)}/lock`, { Details: "begun" });
    await http.delete(`${statePath(id)}/lock`, { Lock: taken.body.Lock });
    expect((await http.post(`${statePath(id)}/lock`)).body).toMatchObject({ LastDetails: "begun" });
  });

  test("a lease by hand needs no body, and a state nobody holds", async () => {
    const id = unique("hand");
    await http.put(id, { Selects: [parked("1")] });
    expect((await http.post(`${statePath(id)}/lock`)).status).toBe(200);
    expectProblem(await http.post(`${statePath(id)}/lock`), 409, "lock_error");
  });

  test("a lease by hand on a waiting state ends in waiting", async () => {
    const id = unique("hand");
    await http.put(id, { Selects: [parked("1")] });
    const { body } = await http.post(`${statePath(id)}/lock`, { For: 1 });
    const after = await http.get(`${statePath(id)}?wait=10&after=${body.Version}`);
    expect(after.body).toMatchObject({ Status: "waiting" });
  });

  test("giving the lease back: pending at once, and not an attempt", async () => {
    const id = unique("back");
    const held = await http.held(id);
    const back = await http.delete(`${statePath(id)}/lock`, { Lock: held.Lock });
    expect(back.body).toEqual({ ID: id, Status: "pending", Version: 3 });
    expect((await http.take(id)).Attempt).toBe(1);
  });

  test("giving it back with a delay: not handed out before", async () => {
    const id = unique("delay");
    const held = await http.held(id);
    await http.delete(`${statePath(id)}/lock?delay=0.3`, undefined, { headers: { "Slct-Lock": held.Lock ?? "" } });
    const before = Date.now();
    expect(await poll(id)).toEqual([]);
    expect((await http.take(id)).UpdatedAt).toBeGreaterThanOrEqual(before);
  });

  test("an old lock is stale", async () => {
    const id = unique("old");
    const held = await http.held(id);
    await http.put(id, { Lock: held.Lock, Selects: [parked("2")] });
    const answer = await http.post(`${statePath(id)}/lock`, { Lock: held.Lock });
    expectProblem(answer, 409, "lock_error");
    expect(answer.body.reason).toBe("stale");
  });
});

describe("§3 callback", () => {
  test("an address that may not be called is 400 callback_blocked at PUT", async () => {
    const Callback = { Type: 1, URI: "http://169.254.169.254/latest" };
    expectProblem(await http.put(unique("ssrf"), { Callback, Selects: [ready("1")] }), 400, "callback_blocked");
    expectProblem(await http.put(unique("ssrf"), { Spawn: [{ ID: unique("s"), Callback }] }), 400, "callback_blocked");
  });

  test("only Type 1 exists", async () => {
    expectProblem(await http.put(unique("type"), { Callback: { Type: 2, URI: uri } }), 400, "bad_request");
  });

  test("the next put-back may drop the callback", async () => {
    const id = unique("drop");
    const held = await http.held(id, { Selects: [ready("1"), parked("2")] });
    await http.put(id, { Lock: held.Lock, Callback: { Type: 1, URI: uri }, Selects: [parked("2")] });
    expect((await http.state(id)).Callback).toEqual({ Type: 1, URI: uri });
    const { body } = await http.post(`${statePath(id)}/lock`);
    await http.put(id, { Lock: body.Lock, Selects: [parked("2")] });
    expect(await http.state(id)).not.toHaveProperty("Callback");
  });
});

describe("§3 pause and resume", () => {
  test("a paused state is not handed out; its selects stay queued and resolve", async () => {
    const [id, chan] = [unique("paused"), unique("chan")];
    await http.put(id, { Selects: [select("1", recv(chan))] });
    const paused = await http.call("PUT", `${statePath(id)}/pause`, { Reason: "repair" });
    expect(paused.body).toEqual({ ID: id, Status: "paused", Version: 2 });
    expect((await http.send(chan, "v")).status).toBe(200);
    expect(await http.state(id)).toMatchObject({
      Status: "paused",
      PausedReason: "repair",
      Results: [{ Data: "v" }],
    });
    expect(await poll(id)).toEqual([]);
    expect((await http.call("PUT", `${statePath(id)}/resume`)).body).toMatchObject({ Status: "pending" });
    expect((await http.take(id)).Results).toMatchObject([{ Data: "v" }]);
  });

  test("a running holder may still put back", async () => {
    const id = unique("paused");
    const held = await http.held(id);
    await http.call("PUT", `${statePath(id)}/pause`);
    const answer = await http.put(id, { Lock: held.Lock, Selects: [ready("2")] });
    expect(answer.body).toMatchObject({ Status: "paused" });
  });

  test(
    "handed out too often without being put back: paused; resume resets the attempts",
    { timeout: 60_000 },
    async () => {
      const id = unique("attempts");
      await http.put(id, { Selects: [ready("1")] });
      for (let attempt = 1; attempt <= http.attemptsMax; attempt += 1) {
        expect((await http.take(id, "&wait=10&lease=1")).Attempt).toBe(attempt);
      }
      const paused = await http.get(`${statePath(id)}?wait=10&until=paused`);
      expect(paused.body).toMatchObject({ Status: "paused" });
      expect(paused.body.PausedReason).toBeTypeOf("string");
      await http.call("PUT", `${statePath(id)}/resume`);
      expect((await http.take(id)).Attempt).toBe(1);
    },
  );
});
