/** From which servers a snapshot is taken, and by which sidecar. */
import { expect, test } from "vitest";
import {
  type Choice,
  chooseInCluster,
  chooseInSet,
  haveSameSlots,
} from "../../src/backup/choose-sources.ts";
import { chooseTaker } from "../../src/backup/choose-taker.ts";
import type { PeerView as ClusterPeer } from "../../src/cluster/types.ts";
import type { PeerView, RunningServer } from "../../src/replication/types.ts";
import { answered, changed, idOf, nameOf, silent, sixNodes, type Truth } from "./observations.ts";
import { runningServer } from "./servers-under-test.ts";

const whole = (truths: readonly Truth[] = sixNodes): readonly ClusterPeer[] =>
  truths.map(({ letter }) => answered(letter, truths));
const replace = (peers: readonly ClusterPeer[], ...others: readonly ClusterPeer[]) =>
  peers.map((peer) => others.find(({ name }) => name === peer.name) ?? peer);
const namesOf = (choice: Choice) =>
  choice.kind === "sources"
    ? choice.sources.map(({ name, role }) => `${role} ${name}`)
    : choice.reason;

test("in a cluster each shard's beta gives the copy, with the slots as CLUSTER NODES has them", () => {
  const choice = chooseInCluster(whole());
  expect(namesOf(choice)).toEqual(["d", "e", "f"].map((letter) => `beta ${nameOf(letter)}`));
  expect(choice.kind === "sources" && choice.sources.map(({ slots }) => slots)).toEqual([
    ["0-5460"],
    ["5461-10922"],
    ["10923-16383"],
  ]);
});

test("where no beta is in sync the alpha does; of several betas the one with most of the stream", () => {
  const notInSync = replace(whole(), answered("d", sixNodes, { inSync: false }), silent("e"));
  expect(namesOf(chooseInCluster(notInSync))).toEqual([
    "alpha node-a",
    "alpha node-b",
    "beta node-f",
  ]);
  const more = [...sixNodes, { letter: "7", alpha: "a" }, { letter: "8", alpha: "a" }];
  const ahead = replace(whole(more), answered("7", more, { offset: 2_000 }));
  expect(namesOf(chooseInCluster(ahead))[0]).toBe("beta node-7");
  expect(namesOf(chooseInCluster(whole(more)))[0]).toBe("beta node-7");
});

test("no snapshot while a slot is nobody's, its alpha is silent, or it is on its way", () => {
  const uncovered = whole(changed(sixNodes, { c: { slots: [[10_923, 16_382]] } }));
  expect(namesOf(chooseInCluster(uncovered))).toMatch(
    /16383 of 16384 slots have an alpha that answers$/,
  );
  const lost = replace(whole(), silent("b"));
  expect(namesOf(chooseInCluster(lost))).toBe(
    "10922 of 16384 slots have an alpha that answers (node-b: nothing listens there yet)",
  );
  const moving = whole().map((peer) => {
    if (peer.name !== nameOf("a") || peer.seen.state !== "answered") return peer;
    const nodes = peer.seen.table.nodes.map((node) =>
      node.id === idOf("a") ? { ...node, migrations: [`[93->-${idOf("b")}]`] } : node,
    );
    return { ...peer, seen: { ...peer.seen, table: { ...peer.seen.table, nodes } } };
  });
  expect(namesOf(chooseInCluster(moving))).toBe("slots of node-a are on their way to another node");
});

test("a failover leaves the slots together, a move does not", () => {
  const sources = (truths: readonly Truth[]) => {
    const choice = chooseInCluster(whole(truths));
    return choice.kind === "sources" ? choice.sources : [];
  };
  const [a, b, c] = sixNodes.map(({ slots }) => slots ?? []);
  const failedOver = changed(sixNodes, {
    a: { alpha: "d", slots: [] },
    d: { alpha: undefined, slots: a ?? [] },
  });
  expect(haveSameSlots(sources(sixNodes), sources(failedOver))).toBe(true);
  const moved = changed(sixNodes, {
    a: { slots: [[0, 5459]] },
    b: { slots: [[5460, 5460], ...(b ?? [])] },
  });
  expect(sources(moved)).toHaveLength(3);
  expect(haveSameSlots(sources(sixNodes), sources(moved))).toBe(false);
  expect(c).toBeDefined();
});

const server = (ordinal: number, more: Partial<RunningServer> = {}): PeerView => ({
  name: `redis-${ordinal}`,
  address: { ip: `10.0.0.${ordinal + 1}`, port: 6379, busPort: 16_379 },
  seen: runningServer(`run-${ordinal}`, more),
});
const alpha = (ordinal: number) => server(ordinal, { role: "alpha", inSync: false });

test("in a set a beta in sync, else the alpha, and nobody while there are two alphas", () => {
  expect(namesOf(chooseInSet([alpha(0), server(1), server(2)]))).toEqual(["beta redis-1"]);
  expect(namesOf(chooseInSet([alpha(0), server(1), server(2, { offset: 1_001 })]))).toEqual([
    "beta redis-2",
  ]);
  expect(namesOf(chooseInSet([alpha(0), server(1, { inSync: false })]))).toEqual(["alpha redis-0"]);
  expect(namesOf(chooseInSet([alpha(0), alpha(1)]))).toBe(
    "there are two alphas: redis-0 and redis-1",
  );
  const none = chooseInSet([
    { ...alpha(0), seen: { state: "denied", why: "it refuses our password" } },
  ]);
  expect(namesOf(none)).toBe(
    "no alpha and no beta in sync answers (redis-0: it refuses our password)",
  );
});

test("one of several sidecars takes the snapshots, the same one whoever looks, and never an alpha's where there is a beta", () => {
  const set = [alpha(0), server(1), server(2)];
  expect(chooseTaker(set)).toBe("run-1");
  expect(chooseTaker([...set].reverse())).toBe("run-1");
  expect(chooseTaker([alpha(0), server(1, { inSync: false }), server(2)])).toBe("run-2");
  expect(chooseTaker([alpha(0)])).toBe("run-0");
  expect(chooseTaker(whole())).toBe(idOf("d"));
  expect(chooseTaker([silent("a")])).toBeUndefined();
});
