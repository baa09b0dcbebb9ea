/**
 * Who may speak: members as they come and go, guests, and those who are shut out for good.
 */
import { afterEach, describe, expect, it } from "vitest";
import { Instances } from "../../cluster/instances.js";
import { cleanUp, onCleanUp } from "./cleanup.js";
import { dial, exchange, head, hello } from "./peer-dialer.js";
import { all, cluster, contexts, heartbeat, instanceOf, isUp, open, type Witness } from "./peer-witness.js";
import { Relay } from "./relay.js";

afterEach(cleanUp);

const hears = (to: Witness, from: Witness, ids: readonly [string, string], context: number) => {
  from.peers.send(ids[1], heartbeat(ids[0], ids[1], context));
  return to.until(() => contexts(to).includes(context));
};

/** A node behind an address that others can dial. */
async function reachable(id: string, more: Parameters<typeof open>[2] = {}) {
  const relay = await Relay.open();
  onCleanUp(() => relay.close());
  const node = await open(id, [], { ...more, self: { id, peer: relay.address, api: "" }, listen: "127.0.0.1:0" });
  relay.aim(node.peers.port);
  return { node, relay, member: { id, peer: relay.address, api: "" } };
}

describe("members that change", () => {
  it("are dialed when they come and dropped when they go", async () => {
    const { nodes, members } = await cluster(["a", "b", "c"]);
    const [a, b] = all(nodes) as [Witness, Witness];
    a.peers.setMembers(members.slice(0, 2), []);
    b.peers.setMembers(members.slice(0, 2), []);
    expect(a.peers.stats().links.map(({ node }) => node)).toContain("b");
    await hears(b, a, ["a", "b"], 7);
    a.peers.setMembers(members, []);
    await a.until(() => isUp(a, 4));
    expect(a.peers.stats().droppedFrames).toBe(0);
  });

  it("are dialed anew at another address, and only then", async () => {
    const { nodes, members } = await cluster(["a", "b"]);
    const [a, b] = all(nodes) as [Witness, Witness];
    const links = [...a.links];
    a.peers.setMembers(members, []);
    expect(a.links).toEqual(links);
    const relay = await Relay.open();
    onCleanUp(() => relay.close());
    relay.aim(b.peers.port);
    a.peers.setMembers([{ id: "b", peer: relay.address, api: "" }], []);
    await a.until(() => relay.taken === 2 && isUp(a, 2));
    await hears(b, a, ["a", "b"], 9);
  });

  it("do not hear from nor reach a node that was removed", async () => {
    const { nodes, members } = await cluster(["a", "b"]);
    const [a, b] = all(nodes) as [Witness, Witness];
    a.peers.setMembers([members[0] as (typeof members)[0]], ["b"]);
    await b.until(() => b.bans.length > 0);
    expect(new Set(b.bans)).toEqual(new Set(["a removed"]));
    expect(a.peers.stats().links).toEqual([]);
    const { answer } = await exchange(a.peers.port, head(hello()));
    expect(answer).toMatch(/^HTTP\/1\.1 410 [^]*slct-ban: removed/);
  });
});

describe("a guest", () => {
  it("is answered at the address it gives, and becomes a member without a new link", async () => {
    const a = await reachable("a");
    const b = await reachable("b");
    a.node.peers.setMembers([b.member], []);
    await b.node.until(() => isUp(b.node, 2));
    await hears(a.node, b.node, ["b", "a"], 3);
    b.node.peers.setMembers([a.member], []);
    await hears(b.node, a.node, ["a", "b"], 4);
    expect(b.node.links).toEqual(["a", "a"]);
  });

  it("is left when it leaves", async () => {
    const a = await reachable("a");
    const b = await reachable("b");
    a.node.peers.setMembers([b.member], []);
    await b.node.until(() => isUp(b.node, 2));
    await a.node.peers.close();
    while (b.node.peers.stats().links.length > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it("finds no room when there are too many", async () => {
    const b = await reachable("b");
    for (let n = 0; n < 16; n++) {
      const who = { "slct-node": `g${n}`, "slct-to": "b", "slct-peer": `127.0.0.1:${1 + n}` };
      await dial(b.node.peers.port, hello(who));
    }
    const more = { "slct-node": "g16", "slct-to": "b", "slct-peer": "127.0.0.1:99" };
    const { answer } = await exchange(b.node.peers.port, head(hello(more)));
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
  });
});

describe("another data directory under a known id", () => {
  it("I17 L15 is refused by everyone who met the first one, and told why", async () => {
    const { nodes, relays, members } = await cluster(["a", "b"]);
    const [a, b] = all(nodes) as [Witness, Witness];
    relays[1]?.aim(undefined);
    await b.peers.close();
    const wiped = await open("b", members, { instance: "instance-b-2", epoch: 9 });
    relays[1]?.aim(wiped.peers.port);
    await wiped.until(() => wiped.bans.length > 0);
    expect(new Set(wiped.bans)).toEqual(new Set(["a instance"]));
    // Nor does anyone who knew the first one take the answer of the second for its.
    await a.until(() => a.events.some((event) => event.kind === "failed" && /another one/.test(event.reason)));
    a.peers.send("b", heartbeat("a", "b", 5));
    expect(contexts(wiped)).toEqual([]);
    expect(a.peers.stats().links.every(({ up }) => !up)).toBe(true);
  });

  it("is recognised by whoever was only dialed, or only dialed itself", async () => {
    const dialing = new Instances();
    const dialed = new Instances();
    const b = await reachable("b", { instances: dialed });
    const a = await reachable("a", { instances: dialing });
    a.node.peers.setMembers([b.member], []);
    await a.node.until(() => isUp(a.node, 2));
    expect(dialing.get("b")).toBe(instanceOf("b"));
    // A guest is not remembered: anybody could take an id that is still to come. A member is.
    expect(dialed.get("a")).toBeUndefined();
    b.node.peers.setMembers([a.member], []);
    expect(dialed.get("a")).toBe(instanceOf("a"));
  });
});
