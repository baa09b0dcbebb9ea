/**
 * Protocol §4 and §5: channels, plain requests, time.
 */
import { describe, expect, test } from "vitest";
import { chanPath, expectProblem, http, recv, select, send, statePath, unique } from "./client.js";

const make = (chan: string, Buffer: number) => http.call("PUT", chanPath(chan), { Buffer });
const close = (chan: string, body?: object) => http.post(`${chanPath(chan)}/close`, body);

describe("§4 channels", () => {
  test("unbuffered ones come and go by use", async () => {
    const [chan, id] = [unique("chan"), unique("state")];
    expectProblem(await http.get(chanPath(chan)), 404, "not_found");
    const before = Date.now();
    await http.put(id, { Selects: [select("1", recv(chan))] });
    const used = await http.get(chanPath(chan));
    expect(used.body).toMatchObject({ Chan: chan, Buffer: 0, Values: 0, Senders: 0, Receivers: 1, Closed: false });
    expect(used.body.OldestWaiter).toBeGreaterThanOrEqual(before);
    await http.send(chan, 1);
    expectProblem(await http.get(chanPath(chan)), 404, "not_found");
  });

  test("PUT makes a buffered one: 201, again 200, another size 409 exists", async () => {
    const chan = unique("buffered");
    const made = await make(chan, 2);
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      ...{ Chan: chan, Buffer: 2, Values: 0, Senders: 0, Receivers: 0, Closed: false, OldestWaiter: null },
    });
    expect((await make(chan, 2)).status).toBe(200);
    expectProblem(await make(chan, 3), 409, "exists");
  });

  test("409 exists when it has waiters, closed when it is closed", async () => {
    const [waited, shut] = [unique("waited"), unique("shut")];
    await http.put(unique("state"), { Selects: [select("1", recv(waited))] });
    expectProblem(await make(waited, 1), 409, "exists");
    await close(shut);
    expectProblem(await make(shut, 1), 409, "closed");
  });

  test("Buffer 0 is an explicit record that stays", async () => {
    const chan = unique("explicit");
    expect((await make(chan, 0)).status).toBe(201);
    expect((await http.get(chanPath(chan))).body).toMatchObject({ Buffer: 0 });
  });

  test.each([[-1], [1.5], ["1"], [1_000_001]])("a Buffer of %j is 400", async (Buffer) => {
    expectProblem(await http.call("PUT", chanPath(unique("bad")), { Buffer }), 400, "bad_request");
  });

  test("values of a buffer are received in order, counted meanwhile", async () => {
    const chan = unique("fifo");
    await make(chan, 2);
    await http.send(chan, "a");
    await http.send(chan, "b");
    expectProblem(await http.send(chan, "c"), 409, "not_ready");
    expect((await http.get(chanPath(chan))).body).toMatchObject({ Values: 2 });
    expect((await http.recv(chan)).body).toMatchObject({ Data: "a", Ok: true });
    expect((await http.recv(chan)).body).toMatchObject({ Data: "b", Ok: true });
  });

  test("close: values left are received first, then Value to all who wait and come", async () => {
    const [chan, id] = [unique("promise"), unique("state")];
    await make(chan, 1);
    await http.send(chan, "left");
    expect((await close(chan, { Value: { done: true } })).body).toMatchObject({ Chan: chan, Closed: true });
    expect((await http.recv(chan)).body).toMatchObject({ Data: "left", Ok: true });
    for (let i = 0; i < 2; i += 1) {
      expect((await http.recv(chan)).body).toMatchObject({ Data: { done: true }, Ok: false, Closed: true });
    }
    const other = unique("promise");
    await http.put(id, { Selects: [select("1", recv(other))] });
    await close(other, { Value: 7 });
    expect((await http.state(id)).Results).toMatchObject([{ Data: 7, Ok: false, Closed: true }]);
  });

  test("a repeated Request-Id gets the first answer again, whatever waits on the name by then", async () => {
    const chan = unique("again");
    const once = { headers: { "Request-Id": unique("request") } };
    const closed = await http.call("POST", `${chanPath(chan)}/close`, undefined, once);
    await http.call("DELETE", chanPath(chan));
    await http.put(unique("state"), { Selects: [select("1", recv(chan))] });
    expect(await http.call("POST", `${chanPath(chan)}/close`, undefined, once)).toMatchObject({
      status: 200,
      body: closed.body,
    });
  });

  test("closing twice: 409 closed", async () => {
    const chan = unique("twice");
    expect((await close(chan)).status).toBe(200);
    expectProblem(await close(chan), 409, "closed");
  });

  test("DELETE only when idle; a closed one may be deleted", async () => {
    const [full, shut] = [unique("full"), unique("shut")];
    await make(full, 1);
    await http.send(full, 1);
    expectProblem(await http.delete(chanPath(full)), 409, "busy");
    await http.recv(full);
    const deleted = await http.delete(chanPath(full));
    expect([deleted.status, deleted.body]).toEqual([200, { Chan: full, Deleted: true }]);
    expectProblem(await http.delete(chanPath(full)), 404, "not_found");
    await close(shut);
    expect((await http.delete(chanPath(shut))).status).toBe(200);
  });

  test("the list is by prefix and in pages", async () => {
    const prefix = unique("list");
    for (const n of [1, 2, 3]) await make(`${prefix}/${n}`, n);
    const first = await http.get(`/channel?prefix=${prefix}&limit=2`);
    expect(first.body.Channels).toMatchObject([{ Buffer: 1 }, { Buffer: 2 }]);
    const rest = await http.get(`/channel?prefix=${prefix}&limit=2&cursor=${first.body.Cursor}`);
    expect(rest.body).toMatchObject({ Channels: [{ Chan: `${prefix}/3` }], Cursor: null });
  });

  test("a name with a slash is one name", async () => {
    const chan = unique("a/b");
    await make(chan, 1);
    expect((await http.get(chanPath(chan))).body.Chan).toBe(chan);
    expectProblem(await http.get(`/channel/${chan}`), 404, "not_found");
  });
});

describe("§4 plain requests", () => {
  test("a send and a receive meet; both get their Result", async () => {
    const chan = unique("meet");
    const received = http.recv(chan, "?wait=10");
    expect((await http.send(chan, { n: 1 }, "?wait=10")).body).toMatchObject({ Op: 2, Ok: true });
    expect((await received).body).toMatchObject({ Op: 1, Chan: chan, Data: { n: 1 }, Ok: true });
  });

  test("409 not_ready when the wait ends, at once by default; the value is not left behind", async () => {
    const chan = unique("quiet");
    expectProblem(await http.send(chan, 1), 409, "not_ready");
    expectProblem(await http.send(chan, 1, "?wait=0.05"), 409, "not_ready");
    expectProblem(await http.recv(chan), 409, "not_ready");
    expectProblem(await http.get(chanPath(chan)), 404, "not_found");
  });

  test("a client that goes away is withdrawn", async () => {
    const chan = unique("gone");
    const receivers = async () => (await http.get(chanPath(chan))).body.Receivers;
    await make(chan, 0);
    const leaving = new AbortController();
    const received = http.post(`${chanPath(chan)}/recv?wait=60`, undefined, { signal: leaving.signal });
    while ((await receivers()) !== 1) continue;
    leaving.abort();
    await expect(received).rejects.toThrow();
    while ((await receivers()) !== 0) continue;
    expectProblem(await http.send(chan, "nobody"), 409, "not_ready");
  });

  test("POST /select takes any cases", async () => {
    const chan = unique("select");
    await make(chan, 1);
    const sent = await http.post("/select", { Choice: "order", Cases: [recv(chan), send(chan, "v"), { Op: 4 }] });
    expect(sent.body).toMatchObject({ Case: 1, Op: 2, Ok: true });
    const timed = await http.post("/select?wait=10", { Cases: [recv(unique("never")), { Op: 3, After: 10 }] });
    expect(timed.body).toMatchObject({ Case: 1, Op: 3, Ok: true });
  });

  test("a select meets the plain request of another", async () => {
    const chan = unique("cross");
    const selected = http.post("/select?wait=10", { Cases: [recv(unique("never")), recv(chan)] });
    await http.send(chan, "x", "?wait=10");
    expect((await selected).body).toMatchObject({ Case: 1, Data: "x" });
  });

  test("with a Request-Id a repeat gives the same Result: a lost answer loses no message", async () => {
    const chan = unique("once");
    await make(chan, 2);
    await http.send(chan, "first");
    await http.send(chan, "second");
    const headers = { "Request-Id": unique("r") };
    const take = () => http.post(`${chanPath(chan)}/recv`, undefined, { headers });
    const [one, two] = [await take(), await take()];
    expect(two.text).toBe(one.text);
    expect((await http.recv(chan)).body).toMatchObject({ Data: "second" });
  });

  test("a repeat while the first still waits joins it", async () => {
    const chan = unique("join");
    const headers = { "Request-Id": unique("r") };
    const take = () => http.post(`${chanPath(chan)}/recv?wait=10`, undefined, { headers });
    const both = Promise.all([take(), take()]);
    await http.send(chan, "shared", "?wait=10");
    const [one, two] = await both;
    expect(one.body).toMatchObject({ Data: "shared" });
    expect(two.text).toBe(one.text);
  });

  test("after a not_ready the same Request-Id is a new attempt", async () => {
    const chan = unique("anew");
    const headers = { "Request-Id": unique("r") };
    const take = () => http.post(`${chanPath(chan)}/recv`, undefined, { headers });
    expectProblem(await take(), 409, "not_ready");
    await make(chan, 1);
    await http.send(chan, 1);
    expect((await take()).status).toBe(200);
  });
});

describe("§5 time", () => {
  test("a timer never fires early, and fires once", async () => {
    const id = unique("timer");
    const At = Date.now() + 150;
    await http.put(id, { Selects: [select("1", { Op: 3, At })] });
    const fired = await http.get(`${statePath(id)}?wait=10&until=pending`);
    expect(fired.body.Results).toHaveLength(1);
    expect(fired.body.Results?.[0]?.At).toBeGreaterThanOrEqual(At);
    expect(fired.body.Version).toBe(2);
  });

  test("After is counted from the log time of the entry", async () => {
    const id = unique("after");
    const { body } = await http.put(id, { Selects: [select("1", { Op: 3, After: "1h30m" })] });
    const [one] = (await http.state(id)).Selects ?? [];
    expect(one?.Cases[0]?.At).toBe((body.CreatedAt ?? 0) + 5_400_000);
  });

  test("Chan of a time case is unix seconds and comes back as it was given", async () => {
    const id = unique("seconds");
    await http.put(id, { Selects: [select("1", { Op: 3, Chan: "15600421234" }, { Op: 3, Chan: 15600421234.25 })] });
    expect((await http.state(id)).Selects).toMatchObject([
      { Cases: [{ Chan: "15600421234" }, { Chan: 15600421234.25 }] },
    ]);
  });

  test("overdue timers fire at registration, a default never beats them", async () => {
    const { body } = await http.post("/select", { Cases: [{ Op: 3, Chan: "1560042123.25" }, { Op: 4 }] });
    expect(body).toMatchObject({ Case: 0, Op: 3 });
  });

  test("due timers fire in the order of deadline, then of registration", async () => {
    const id = unique("timers");
    const soon = Date.now() + 100;
    await http.put(id, {
      Selects: [soon + 2, soon, soon + 1, soon].map((At, i) => select(String(i), { Op: 3, At })),
    });
    let state = await http.state(id);
    while ((state.Results?.length ?? 0) < 4) {
      state = (await http.get(`${statePath(id)}?wait=10&after=${state.Version}`)).body;
    }
    expect(state.Results?.map(({ Select }) => Select)).toEqual(["1", "3", "2", "0"]);
  });

  test("NotBefore: the case takes part only from then on", async () => {
    const [chan, id] = [unique("later"), unique("state")];
    const NotBefore = Date.now() + 200;
    await http.put(id, { Selects: [select("1", { Op: 2, Chan: chan, Data: "delayed", NotBefore })] });
    expectProblem(await http.recv(chan), 409, "not_ready");
    const received = await http.recv(chan, "?wait=10");
    expect(received.body).toMatchObject({ Data: "delayed" });
    expect(received.body.At).toBeGreaterThanOrEqual(NotBefore);
  });
});
