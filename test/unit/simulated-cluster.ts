/**
 * Pods in the simulation: entrypoints that look, decide with the real planner, and act on what may be old news by then; and
 * the servers that they become.
 */
import { type Address, sameAddress } from "../../src/address.ts";
import { blankId } from "../../src/cluster/build-table.ts";
import {
  isAlpha,
  isFailed,
  myselfOf,
  type NodeEntry,
  type NodeTable,
} from "../../src/cluster/nodes.ts";
import { plan } from "../../src/cluster/plan.ts";
import { slotsWithoutOwner } from "../../src/cluster/shards.ts";
import { readTopology } from "../../src/cluster/topology.ts";
import type { Observation, PeerView, Plan, Policy, Self, Step } from "../../src/cluster/types.ts";
import { sightsOf } from "../../src/cluster/watch.ts";
import {
  answerOf,
  createServer,
  describeServer,
  gossip,
  hear,
  isAlphaServer,
  ownEntry,
  type Server,
  setEntry,
  shakeHands,
  shardOf,
  tableOf,
} from "./simulated-server.ts";

export interface Pod {
  readonly name: string;
  address: Address;
  /** Undefined while it does not run. */
  process:
    | { kind: "booting"; changedAt: number; fingerprint: string; seen: Observation | undefined }
    | { kind: "server"; server: Server }
    | undefined;
  disk: { table: NodeTable | undefined; data: Map<number, number> };
  /** A pod of another cluster. */
  readonly foreign: boolean;
}

export interface World {
  readonly pods: readonly Pod[];
  readonly policy: Policy;
  /** With an append-only file a server's data is on its disk too. */
  readonly persistent: boolean;
  /** Pairs of pods that cannot reach each other; the API that names the pods is seen by all. */
  readonly cuts: Set<string>;
  nowMs: number;
  nextAddress: number;
  nextId: number;
  /** What was done, for the report of a failure. */
  readonly history: string[];
}

export const newAddress = (world: World): Address => ({
  ip: `10.0.0.${world.nextAddress++}`,
  port: 6379,
  busPort: 16_379,
});
const newId = (world: World): string => String(world.nextId++).padStart(40, "0");

export function createWorld(policy: Policy, persistent: boolean): World {
  const world: World = {
    pods: [],
    policy,
    persistent,
    cuts: new Set(),
    nowMs: 0,
    nextAddress: 1,
    nextId: 1,
    history: [],
  };
  const pods = world.pods as Pod[];
  for (let i = 1; i <= policy.nodes; i++) {
    pods.push({
      name: `pod-${i}`,
      address: newAddress(world),
      process: undefined,
      disk: { table: undefined, data: new Map() },
      foreign: false,
    });
  }
  return world;
}

export const serversOf = (world: World): readonly Server[] =>
  world.pods.flatMap((pod) => (pod.process?.kind === "server" ? [pod.process.server] : []));

const serverAt = (world: World, address: Address | undefined): Server | undefined =>
  address && serversOf(world).find((server) => sameAddress(server.address, address));

interface Named {
  readonly name: string;
}

const pairOf = (one: Named, other: Named): string => [one.name, other.name].sort().join(" ");
export const cut = (world: World, one: Named, other: Named): unknown =>
  world.cuts.add(pairOf(one, other));
const isCut = (world: World, one: Named, other: Named): boolean =>
  world.cuts.has(pairOf(one, other));

/** Who runs at an address, where `from` can reach it. */
function reachedAt(world: World, from: Named, address: Address | undefined): Server | undefined {
  const server = serverAt(world, address);
  return server && !isCut(world, from, server) ? server : undefined;
}

/** A link: the server with this id runs where the entry says. */
const reaches = (world: World, from: Named) => (entry: NodeEntry) =>
  reachedAt(world, from, entry.address)?.id === entry.id;

export function startPod(world: World, pod: Pod): void {
  pod.process = { kind: "booting", changedAt: world.nowMs, fingerprint: "", seen: undefined };
}

/** kill -9; a server's table is on its disk, its data only with an append-only file. */
export function killPod(world: World, pod: Pod): void {
  if (pod.process?.kind === "server") {
    const { server } = pod.process;
    pod.disk = {
      table: tableOf(server, () => false),
      data: world.persistent ? new Map(server.data) : new Map(),
    };
  }
  pod.process = undefined;
}

export function lookFrom(world: World, pod: Pod): void {
  if (pod.process?.kind !== "booting") return;
  const others = world.pods.filter(
    (other) => other !== pod && other.process !== undefined && !other.foreign,
  );
  const strangers = world.pods.filter(
    (other) =>
      other.foreign &&
      world.pods.some(
        (named) => named !== pod && !named.foreign && sameAddress(named.address, other.address),
      ),
  );
  const peers = [...others, ...strangers].map((other) => viewOf(world, pod, other));
  const self: Self = {
    name: pod.name,
    address: pod.address,
    table: pod.disk.table,
    data: dataOnDisk(world, pod),
    unreadSnapshot: false,
  };
  const fingerprint = JSON.stringify(sightsOf(peers).map(({ fields }) => fields));
  if (fingerprint !== pod.process.fingerprint) pod.process.changedAt = world.nowMs;
  pod.process.fingerprint = fingerprint;
  pod.process.seen = {
    policy: world.policy,
    self,
    peers,
    unchangedMs: world.nowMs - pod.process.changedAt,
  };
}

const dataOnDisk = (world: World, pod: Pod) =>
  world.persistent && [...pod.disk.data.values()].some((count) => count > 0) ? "aof" : "none";

function viewOf(world: World, from: Named, pod: Pod): PeerView {
  if (isCut(world, from, pod)) {
    return {
      name: pod.name,
      address: pod.address,
      seen: { state: "silent", refused: false, why: "no answer" },
    };
  }
  if (pod.process?.kind !== "server") {
    return {
      name: pod.name,
      address: pod.address,
      seen: { state: "silent", refused: true, why: "nothing listens there yet" },
    };
  }
  const { server } = pod.process;
  return {
    name: pod.name,
    address: server.address,
    seen: answerOf(server, reaches(world, server), isOk(world, server), world.nowMs),
  };
}

/** All slots have an owner that it reaches. */
function isOk(world: World, server: Server): boolean {
  const owners = [...server.known.values()].filter((entry) => entry.slots.length > 0);
  const covered =
    slotsWithoutOwner(
      owners.map((entry) => ({
        alphaId: entry.id,
        alpha: undefined,
        epoch: 0,
        slots: entry.slots,
        betas: [],
        absentBetas: [],
      })),
    ).length === 0;
  return (
    covered && owners.every((entry) => entry.id === server.id || reaches(world, server)(entry))
  );
}

/** Carries out what the pod's last look leads to; at most `stepLimit` steps, as if it was killed then. */
export function actFrom(
  world: World,
  pod: Pod,
  stepLimit = Number.POSITIVE_INFINITY,
): Plan | undefined {
  if (pod.process?.kind !== "booting" || pod.process.seen === undefined) return undefined;
  const decision = plan(pod.process.seen);
  pod.process.seen = undefined;
  world.history.push(`${pod.name}: ${decision.kind}: ${decision.reason}`);
  const steps = "steps" in decision ? decision.steps : [];
  for (const step of steps.slice(0, stepLimit)) carryOut(world, pod, step);
  if (decision.kind === "set-aside") pod.disk = { ...pod.disk, table: undefined };
  if (decision.kind === "become" && stepLimit >= steps.length)
    become(world, pod, decision.table, steps);
  return decision;
}

function become(
  world: World,
  pod: Pod,
  table: NodeTable | undefined,
  steps: readonly Step[],
): void {
  const own = table && myselfOf(table);
  const id = own === undefined || own.id === blankId ? newId(world) : own.id;
  const nodes = table?.nodes.map((node) => (node.id === blankId ? { ...node, id } : node));
  const { name, address } = pod;
  const server = createServer(
    { id, name, address, bornMs: world.nowMs, data: new Map(pod.disk.data) },
    table && nodes && { ...table, nodes },
  );
  pod.process = { kind: "server", server };
  // Those who were asked to meet it knock until its bus port opens.
  for (const step of steps) {
    if (step.kind !== "meet" || step.whom.seen) continue;
    const at = reachedAt(world, pod, step.at.address);
    if (at?.id === step.at.seen.id) shakeHands(at, server);
  }
}

function carryOut(world: World, pod: Pod, step: Step): void {
  const at = reachedAt(world, pod, step.at.address);
  // The connection was to the server that answered; another one at its address does not hear us.
  if (at === undefined || at.id !== step.at.seen.id) return;
  const own = ownEntry(at);
  switch (step.kind) {
    case "claim":
      if (own.epoch === 0 && at.known.size === 1) setEntry(at, at.id, { epoch: step.epoch });
      at.currentEpoch = Math.max(at.currentEpoch, own.epoch);
      return;
    case "add-slots": {
      const busy = [...at.known.values()].flatMap((entry) => entry.slots.map(([first]) => first));
      if (!step.slots.some(([first]) => busy.includes(first)))
        setEntry(at, at.id, { slots: [...own.slots, ...step.slots] });
      return;
    }
    case "meet": {
      const whom = step.whom.seen && reachedAt(world, at, step.whom.address);
      if (whom && step.whom.seen && whom.id === step.whom.seen.id) shakeHands(at, whom);
      return;
    }
    case "replicate": {
      const alpha = at.known.get(step.alphaId);
      if (
        alpha &&
        isAlpha(alpha) &&
        alpha.id !== at.id &&
        own.slots.length === 0 &&
        at.data.size === 0
      ) {
        setEntry(at, at.id, { flags: ["myself", "slave"], alphaId: step.alphaId, epoch: 0 });
      }
      return;
    }
    case "promote":
      promote(world, at, step.how === "takeover");
      return;
    case "forget":
      if (at.id === step.id || own.alphaId === step.id) return;
      at.known.delete(step.id);
      at.banned.add(step.id);
      world.history.push(`${pod.name}: forget ${step.id.slice(-3)} at ${at.id.slice(-3)}`);
      return;
    case "node-timeout":
      return;
  }
}

/** A beta becomes the alpha of its shard, by a majority's votes or without. */
export function promote(world: World, beta: Server, withoutVotes: boolean): void {
  const own = ownEntry(beta);
  const alpha = own.alphaId === undefined ? undefined : beta.known.get(own.alphaId);
  if (alpha === undefined || alpha.slots.length === 0) return;
  const owners = [...beta.known.values()].filter((entry) => entry.slots.length > 0);
  const voters = serversOf(world).filter(
    (server) =>
      isAlphaServer(server) &&
      !isCut(world, server, beta) &&
      ownEntry(server).slots.length > 0 &&
      server.known.get(beta.id)?.alphaId === alpha.id,
  );
  if (!withoutVotes && voters.length < Math.floor(owners.length / 2) + 1) return;
  const epoch = Math.max(beta.currentEpoch, ...voters.map((voter) => voter.currentEpoch)) + 1;
  beta.currentEpoch = epoch;
  setEntry(beta, alpha.id, { slots: [] });
  setEntry(beta, beta.id, {
    flags: ["myself", "master"],
    alphaId: undefined,
    epoch,
    slots: alpha.slots,
  });
  for (const voter of voters) hear(voter, beta);
}

/** Time passes: servers that reach each other talk, betas copy from their alphas, the unreachable are called failed. */
export function passTime(world: World, ms: number): void {
  world.nowMs += ms;
  const servers = serversOf(world);
  for (const listener of servers) {
    for (const speaker of servers) {
      const isLinked =
        listener !== speaker &&
        !isCut(world, listener, speaker) &&
        [listener.known.get(speaker.id), speaker.known.get(listener.id)].some(
          (entry) => entry && reaches(world, listener)(entry),
        );
      if (!isLinked || !listener.known.has(speaker.id)) continue;
      hear(listener, speaker);
      if (speaker.known.has(listener.id)) gossip(listener, speaker);
    }
  }
  for (const server of servers) copyFromAlpha(world, server);
  for (const server of servers) callFailed(world, server);
}

function copyFromAlpha(world: World, beta: Server): void {
  const { alphaId } = ownEntry(beta);
  const entry = alphaId === undefined ? undefined : beta.known.get(alphaId);
  const alpha = entry && reachedAt(world, beta, entry.address);
  // The server does not ask whose address it is: it copies from whoever is there (rule 10 is ours to keep).
  if (alpha === undefined || alpha === beta || !isAlphaServer(alpha)) return;
  beta.data = new Map(alpha.data);
  beta.hasFollowed = true;
}

function callFailed(world: World, server: Server): void {
  const voters = serversOf(world).filter(
    (one) => isAlphaServer(one) && ownEntry(one).slots.length > 0 && !isCut(world, one, server),
  );
  for (const entry of server.known.values()) {
    if (entry.id === server.id) continue;
    const unreachable = voters.filter(
      (voter) =>
        voter.known.has(entry.id) && !reaches(world, voter)(voter.known.get(entry.id) as NodeEntry),
    );
    const failed = unreachable.length > voters.length / 2 && unreachable.length >= 2;
    const flags = entry.flags.filter((flag) => flag !== "fail");
    setEntry(server, entry.id, { flags: failed ? [...flags, "fail"] : flags });
  }
}

/** Redis' own failover: a beta that was linked to its alpha, which is called failed now, if a majority votes. */
export function electBeta(world: World, server: Server): void {
  if (!server.hasFollowed) return;
  const { alphaId } = ownEntry(server);
  const alpha = alphaId === undefined ? undefined : server.known.get(alphaId);
  if (alpha && isFailed(alpha)) promote(world, server, false);
}

/** Redis' own replica migration: an alpha with two working betas gives one to an orphan (cluster-migration-barrier 1). */
export function migrateReplica(world: World): void {
  const servers = serversOf(world);
  const betasOf = (id: string) => servers.filter((server) => ownEntry(server).alphaId === id);
  const alphas = servers.filter((server) => ownEntry(server).slots.length > 0);
  const orphan = alphas.find((server) => betasOf(server.id).length === 0);
  const [giving] = alphas.map((server) => betasOf(server.id)).filter((betas) => betas.length >= 2);
  const migrant = giving?.find((beta) => orphan && beta.known.has(orphan.id));
  if (orphan && migrant) setEntry(migrant, migrant.id, { alphaId: orphan.id });
}

/** One more write to every shard that is served and reaches all its betas, copied to them before it counts. */
export function writeEverywhere(world: World): void {
  for (const server of serversOf(world)) {
    const shard = shardOf(ownEntry(server).slots);
    if (!isAlphaServer(server) || shard === undefined || !isOk(world, server)) continue;
    const betas = serversOf(world).filter((one) => ownEntry(one).alphaId === server.id);
    if (betas.some((beta) => isCut(world, server, beta))) continue;
    server.data.set(shard, (server.data.get(shard) ?? 0) + 1);
  }
  for (const server of serversOf(world)) copyFromAlpha(world, server);
}

const outside: Named = { name: "" };

/** Ghosts that own nothing may be left: no boot comes after the last one to forget them. */
export function isSettled(world: World): boolean {
  const views = world.pods.filter((pod) => !pod.foreign).map((pod) => viewOf(world, outside, pod));
  const { shards, members } = readTopology({
    policy: world.policy,
    self: undefined,
    peers: views,
    unchangedMs: 0,
  });
  const allRun =
    views.every((view) => view.seen.state === "answered") && members.length === views.length;
  return (
    allRun &&
    slotsWithoutOwner(shards).length === 0 &&
    shards.every((shard) => shard.alpha && shard.betas.length > 0)
  );
}

export const describeWorld = (world: World): string =>
  [
    ...world.history.slice(-40),
    ...world.pods.map(
      (pod) =>
        `${pod.name} ${pod.process?.kind === "server" ? describeServer(pod.process.server) : (pod.process?.kind ?? "down")}`,
    ),
  ].join("\n");
