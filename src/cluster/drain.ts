/**
 * Observe, plan, act, until this node has left its cluster or its time is up.
 */
import { type Address, busPortDistance, formatAddress, sameAddress } from "../address.ts";
import type { Discovery, Peer, Peers } from "../discovery/discovery.ts";
import { withDeadline } from "../discovery/fixed.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { createActor } from "./act.ts";
import { createObserver } from "./observe.ts";
import { type Leaving, planDrain } from "./plan-drain.ts";
import { entryOf, isLeaving, readTopology } from "./topology.ts";
import type { Member, PeerView } from "./types.ts";
import { createWatcher } from "./watch.ts";

export interface DrainOptions {
  /** Where this node's server listens for us. */
  readonly address: Address;
  /** Knows who is leaving too and who is to come; the node's own table knows the others. */
  readonly discovery: Discovery | undefined;
  readonly connect: ConnectOptions;
  readonly log: Log;
  /** Asked after each look: how much time is left, in milliseconds. */
  readonly leftMs: () => number;
}

/** For the API server; the hand-over goes on without it. */
const discoveryDeadlineMs = 2_000;
const lookAgainMs = 50;

/** @returns what became of it: `done`, or `late` with what was still being waited for. */
export async function drain(
  options: DrainOptions,
): Promise<{ kind: "done" | "late"; reason: string }> {
  const { connect, log, leftMs } = options;
  const now = () => performance.now();
  const observer = createObserver(connect);
  const actor = createActor(observer, log, now);
  const watcher = createWatcher(log, now);
  let changedAt = now();
  try {
    for (;;) {
      const peers = await findPeers(options);
      const [ownView] = await observer.look([
        { name: nameOfSelf(peers, options), address: options.address },
      ]);
      if (ownView === undefined || !isMember(ownView)) return whyNot(ownView);
      const own: Member = { ...ownView, pod: peers.self?.pod };
      const views = await observer.look(mates(own, peers));
      if (watcher.observed([own, ...views])) changedAt = now();
      const decision = planDrain(readLeaving(own, views, now() - changedAt));
      watcher.decided(decision);
      if (decision.kind === "done") return { kind: "done", reason: decision.reason };
      if (decision.kind === "act") await actor.carryOut(decision.steps);
      if (leftMs() <= 0) return { kind: "late", reason: decision.reason };
      await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
    }
  } finally {
    observer.close();
  }
}

async function findPeers({ discovery, log }: DrainOptions): Promise<Peers> {
  const none: Peers = { self: undefined, others: [] };
  if (discovery === undefined) return none;
  try {
    return await withDeadline(discovery.find(), discoveryDeadlineMs);
  } catch (thrown) {
    log.warn(
      "observed",
      `the peers are known from the node's own table only: ${messageOf(thrown)}`,
    );
    return none;
  }
}

const nameOfSelf = (peers: Peers, { address }: DrainOptions): string =>
  peers.self?.name ?? formatAddress(address);

const isMember = (view: PeerView): view is Member => view.seen.state === "answered";

function whyNot(view: PeerView | undefined): { kind: "done"; reason: string } {
  const why = view?.seen.state === "answered" ? "" : (view?.seen.why ?? "");
  return { kind: "done", reason: `no server of a cluster answers here: ${why}` };
}

/** Everybody in the node's own table, with what discovery knows of them, and those that only discovery knows. */
function mates(own: Member, { others }: Peers): readonly Peer[] {
  const table = own.seen.table.nodes.flatMap(({ id, address }) =>
    id === own.seen.id || address === undefined ? [] : [address],
  );
  const named = others.filter(({ address }) => address).map(({ address }) => address as Address);
  const unnamed = table.filter((address) => !named.some((one) => sameAddress(one, address)));
  return [...others, ...unnamed.map((address) => ({ name: formatAddress(address), address }))];
}

/** Whoever shares no node id with this one is of another cluster, and none of our business (rule 6). */
function readLeaving(own: Member, views: readonly PeerView[], unchangedMs: number): Leaving {
  const isMate = (member: Member) =>
    entryOf(own, member.seen.id) !== undefined || entryOf(member, own.seen.id) !== undefined;
  const members = views.filter((view): view is Member => isMember(view) && isMate(view));
  const policy = {
    nodes: 0,
    replicas: 0,
    nodeTimeoutMs: 0,
    peerWaitMs: 0,
    onLostSlots: "wait",
  } as const;
  const topology = readTopology({
    policy,
    self: undefined,
    peers: [own, ...members],
    unchangedMs,
  });
  const awaited = views.filter(
    (view) =>
      !isLeaving(view) && view.pod !== undefined && !members.some(({ name }) => name === view.name),
  );
  return { own, topology, awaited, unchangedMs };
}

export const ownAddress = (ip: string | undefined, port: number): Address => ({
  ip: ip ?? "127.0.0.1",
  port,
  busPort: port + busPortDistance,
});
