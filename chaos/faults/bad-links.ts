/** Networks that deliver late, little, twice, cut short or damaged; only proxies can do that. */
import { setTimeout as pause } from "node:timers/promises";
import { needsProxies, proxies, type Fault, type Scene } from "../fault.js";
import type { Undo } from "../undo.js";
import type { Impairment } from "../pipe.js";
import { clients, type Imposed } from "../proxy-network.js";

const group = "network";
const missing = needsProxies;

/** Between the nodes only. */
function amongNodes({ cluster }: Scene, forward: Impairment, backward: Impairment = {}): Imposed[] {
  return cluster.ids.map((from) => ({ from, rule: { forward, backward } }));
}

export const badLinkFaults: readonly Fault[] = [
  {
    ...{ name: "slow-links", group, weight: 2, holdMs: [3000, 8000], missing },
    inflict(scene) {
      const late = { delayMs: scene.random.between(10, 250), jitterMs: scene.random.between(0, 50) };
      scene.note(`all links are ${late.delayMs} ms late, up to ${late.jitterMs} ms more`);
      return Promise.resolve(proxies(scene).impose(...amongNodes(scene, late, late)));
    },
  },
  {
    ...{ name: "slow-leader-link", group, weight: 1, holdMs: [3000, 8000], missing },
    async inflict(scene) {
      const leader = await scene.cluster.leader();
      const delayMs = scene.random.between(100, 500);
      scene.note(`what ${leader} sends is ${delayMs} ms late`);
      return proxies(scene).impose({ from: leader, rule: { forward: { delayMs, jitterMs: 50 } } });
    },
  },
  {
    ...{ name: "narrow-links", group, weight: 1, holdMs: [3000, 8000], missing },
    inflict(scene) {
      scene.note("256 kbit/s on each link");
      return Promise.resolve(proxies(scene).impose(...amongNodes(scene, { bytesPerSecond: 32_000 })));
    },
  },
  {
    ...{ name: "corrupt", group, weight: 2, holdMs: [3000, 10_000], missing },
    inflict(scene) {
      const corrupt = scene.random.between(1, 10) / 100;
      scene.note(`a bit flips in ${corrupt * 100} % of what the nodes send each other`);
      return Promise.resolve(proxies(scene).impose(...amongNodes(scene, { corrupt }, { corrupt })));
    },
  },
  {
    ...{ name: "truncate", group, weight: 1, holdMs: [3000, 8000], missing },
    inflict(scene) {
      const truncate = scene.random.between(1, 5) / 100;
      scene.note(`connections end in the middle of ${truncate * 100} % of what is sent`);
      const everywhere = { forward: { truncate }, backward: { truncate } };
      return Promise.resolve(proxies(scene).impose({ rule: everywhere }));
    },
  },
  {
    ...{ name: "replay", group, weight: 2, holdMs: [3000, 10_000], missing },
    inflict(scene) {
      const replay = scene.random.between(5, 40) / 100;
      scene.note(`${Math.round(replay * 100)} % of the requests arrive twice; so do pieces of the links`);
      const nodes = scene.cluster.ids.map((from) => ({ from, rule: { replay: replay / 10 } }));
      return Promise.resolve(proxies(scene).impose({ from: clients, rule: { replay } }, ...nodes));
    },
  },
  {
    ...{ name: "half-open", group, weight: 1, holdMs: [1000, 4000], missing },
    async inflict(scene) {
      // The connections stay, and nobody is at the other end any more: the node dies while nothing gets through.
      const { cluster, note } = scene;
      const leader = await cluster.leader();
      note(`${leader} dies, and the others do not get to know`);
      const undo = await cluster.network.unplug(leader);
      await cluster.signal(leader, "SIGKILL");
      return async () => {
        await undo();
        cluster.launch(leader);
      };
    },
  },
  {
    ...{ name: "lost-answers", group, weight: 2, holdMs: [2000, 6000], missing },
    inflict(scene) {
      scene.note("requests arrive, answers do not");
      const rule = { backward: { hold: true } };
      return Promise.resolve(proxies(scene).impose({ from: clients, to: scene.random.pick(scene.cluster.ids), rule }));
    },
  },
  {
    ...{ name: "clients-off-leader", group, weight: 1, holdMs: [1000, 5000], missing },
    async inflict(scene) {
      const leader = await scene.cluster.leader();
      scene.note(`clients do not reach ${leader}, the other nodes do`);
      const rule = { forward: { hold: true }, backward: { hold: true } };
      return proxies(scene).impose({ from: clients, to: leader, rule });
    },
  },
  {
    ...{ name: "refuse", group, weight: 1, holdMs: [1000, 5000], missing },
    inflict: (scene) => resetting(scene),
  },
];

/** Every connection among the nodes is reset, again and again. */
function resetting(scene: Scene): Promise<Undo> {
  const network = proxies(scene);
  const periodMs = scene.random.between(100, 1000);
  scene.note(`all connections of the nodes are reset every ${periodMs} ms`);
  let over = false;
  const done = (async () => {
    while (!over) {
      await network.impose(...scene.cluster.ids.map((from) => ({ from, rule: { refuse: true } })))();
      await pause(periodMs);
    }
  })();
  return Promise.resolve(async () => {
    over = true;
    await done;
  });
}
