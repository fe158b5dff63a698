/**
 * Observe, plan, act, until this node has left its cluster or its time is up.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Address, busPortDistance, formatAddress, sameAddress } from "../address.ts";
import { withDeadline } from "../deadline.ts";
import type { Discovery, Peer, Peers } from "../discovery/discovery.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { createWatcher } from "../watcher.ts";
import { createActor } from "./act.ts";
import { createObserver } from "./observe.ts";
import { type Leaving, planDrain } from "./plan-drain.ts";
import { entryOf, isLeaving, readFromOutside } from "./topology.ts";
import type { Member, PeerAnswer, PeerView } from "./types.ts";
import { sightsOf } from "./watch.ts";

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

/** `late`: with what was still being waited for. */
export interface Outcome {
  readonly kind: "done" | "late";
  readonly reason: string;
}

export async function drain(options: DrainOptions): Promise<Outcome> {
  const { connect, log, leftMs } = options;
  const now = () => performance.now();
  const observer = createObserver(connect);
  const actor = createActor(observer, log, now);
  const watcher = createWatcher(log, now);
  const findPeers = createPeerFinder(options);
  let changedAt = now();
  try {
    for (;;) {
      const peers = await findPeers();
      const [ownView] = await observer.look([
        { name: nameOfSelf(peers, options), address: options.address },
      ]);
      if (ownView === undefined || !isMember(ownView)) {
        const outcome = judgeOwn(ownView?.seen, leftMs() <= 0);
        if (outcome) return outcome;
        await pause(lookAgainMs);
        continue;
      }
      const own: Member = { ...ownView, pod: peers.self?.pod };
      const views = await observer.look(mates(own, peers));
      if (watcher.observed(sightsOf([own, ...views]))) changedAt = now();
      const decision = planDrain(readLeaving(own, views, now() - changedAt));
      watcher.decided(decision);
      if (decision.kind === "done") return { kind: "done", reason: decision.reason };
      if (decision.kind === "act") await actor.carryOut(decision.steps);
      if (leftMs() <= 0) return { kind: "late", reason: decision.reason };
      await pause(lookAgainMs);
    }
  } finally {
    observer.close();
  }
}

/**
 * What discovery knew last. It is asked in the background: only until it has told of this node it is waited for, and not for
 * long.
 */
function createPeerFinder({ discovery, log }: DrainOptions): () => Promise<Peers> {
  const startedAt = performance.now();
  let known: Peers = { self: undefined, others: [] };
  let asking: Promise<void> | undefined;
  let said = "";

  async function ask(): Promise<void> {
    let trouble = "";
    try {
      known = (await discovery?.find()) ?? known;
      trouble = known.selfWaitingFor ?? "";
    } catch (thrown) {
      trouble = messageOf(thrown);
    }
    if (trouble !== "" && trouble !== said)
      log.warn("observed", `peers are known from the node's own table only: ${trouble}`);
    said = trouble;
    asking = undefined;
  }
  return async () => {
    const isPatient = () =>
      discovery !== undefined &&
      known.self === undefined &&
      performance.now() - startedAt < discoveryDeadlineMs;
    do {
      asking ??= ask();
      await withDeadline(asking, isPatient() ? discoveryDeadlineMs : lookAgainMs).catch(() => {});
      if (isPatient()) await pause(lookAgainMs);
    } while (isPatient());
    return known;
  };
}

const nameOfSelf = (peers: Peers, { address }: DrainOptions): string =>
  peers.self?.name ?? formatAddress(address);

const isMember = (view: PeerView): view is Member => view.seen.state === "answered";

/** A server that is busy for a while still has its data to hand over; one that is not there has none. */
function judgeOwn(seen: PeerAnswer | undefined, isTimeUp: boolean): Outcome | undefined {
  if (seen === undefined || seen.state === "answered") return undefined;
  if (seen.state === "silent" && seen.refused)
    return { kind: "done", reason: "no server runs here: there is nothing to leave" };
  if (seen.state === "denied" || isTimeUp)
    return { kind: "late", reason: `the own server does not answer: ${seen.why}` };
  return undefined;
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
  const topology = readFromOutside([own, ...members]);
  const awaited = views.filter(
    (view) =>
      !isLeaving(view) &&
      view.pod?.isTroubled === false &&
      !members.some(({ name }) => name === view.name),
  );
  return { own, topology, awaited, unchangedMs };
}

export const ownAddress = (ip: string | undefined, port: number): Address => ({
  ip: ip ?? "127.0.0.1",
  port,
  busPort: port + busPortDistance,
});
