/**
 * Which Sentinel should forget whom. Pure.
 *
 * A Sentinel never forgets a beta or another Sentinel by itself. An address that is nobody's may be somebody else's tomorrow, and
 * Sentinels that are gone still count for the majority that a failover needs. But a node that is only cut off must be remembered: as
 * an alpha that comes back it is made a beta by those who know it. (One whose pod was deleted by force, and runs on where nobody
 * reaches it, has a Sentinel beside it that will.)
 *
 * SENTINEL RESET has it forget everybody and find those that are there anew; it keeps its epochs, its votes and its settings, which
 * REMOVE and MONITOR would lose. One that forgets the betas of an alpha that is lost would never find them again, and one that
 * looks around cannot lead a failover. So: only while the alpha answers and all are at one about it, one Sentinel at a time and
 * the next when that one knows everybody again, and just before it asks the alpha for its betas, which it does every ten seconds
 * (SENTINEL_INFO_PERIOD; a reset does not hasten it). The other Sentinels it hears of within two (SENTINEL_PUBLISH_PERIOD).
 */
import { isAt, isSentinel } from "./read-sentinels.ts";
import {
  type Acquaintance,
  type HostPort,
  isServer,
  type Opinion,
  type PeerView,
  type SentinelView,
  type ServerPeer,
} from "./types.ts";

export type Tidying =
  | { readonly kind: "done" }
  | { readonly kind: "wait"; readonly reason: string }
  /** Nothing can be done for now, and nobody knows for how long. */
  | { readonly kind: "later"; readonly reason: string }
  | { readonly kind: "reset"; readonly reason: string; readonly at: SentinelView };

interface Knowing extends SentinelView {
  readonly seen: Opinion;
}

export interface Scene {
  readonly peers: readonly PeerView[];
  /** Those that are there now, whether they answer or not. */
  readonly sentinels: readonly SentinelView[];
  /** How many Sentinels there are when all are there. */
  readonly count: number;
  /** Whom discovery does not name is gone. */
  readonly knowsWhoIsGone: boolean;
}

export function planTidying(scene: Scene): Tidying {
  const { peers, sentinels, knowsWhoIsGone } = scene;
  if (!knowsWhoIsGone) return { kind: "done" };
  const knowing = sentinels.filter((one): one is Knowing => one.seen.state === "knows");
  const stale = knowing.flatMap((at) => {
    const strangers = findStrangers(at, scene);
    return strangers.length > 0 ? [{ at, strangers }] : [];
  });
  const down = knowing.flatMap(({ seen }) => seen.betas).find(({ isDown }) => isDown);
  const [first] = stale;
  if (first === undefined) {
    if (down === undefined) return { kind: "done" };
    return { kind: "later", reason: `${nameOf(down)} is down, and still a node's address` };
  }
  const names = first.strangers.map(nameOf).join(", ");
  const obstacle = findObstacle(peers, sentinels, knowing, first.at);
  if (obstacle !== undefined)
    return { kind: "wait", reason: `the Sentinels list ${names}, where nobody is; ${obstacle}` };
  if (first.at.seen.sinceInfoMs < infoPeriodMs - beforeInfoMs)
    return {
      kind: "wait",
      reason: `${first.at.name} will ask the alpha anew, and then forget ${names}`,
    };
  return {
    kind: "reset",
    at: first.at,
    reason: `having the Sentinel ${first.at.name} forget ${names}, where nobody is`,
  };
}

const [infoPeriodMs, beforeInfoMs] = [10_000, 700];

const nameOf = ({ host, port }: HostPort): string => `${host}:${port}`;

/** Betas that neither discovery nor the alpha knows, and Sentinels in excess of those that there are. */
function findStrangers(
  { seen: { betas, others } }: Knowing,
  { peers, sentinels, count }: Scene,
): readonly HostPort[] {
  const connected = peers.filter(isServer).flatMap(({ seen }) => seen.betas);
  const isKnown = (beta: HostPort) =>
    peers.some((peer) => isAt(peer, beta)) || connected.some((one) => isSame(one, beta));
  // One that is about to come back at another address has its place already.
  const excess = others.length + 1 > Math.max(count, sentinels.length);
  const isGone = (other: Acquaintance) =>
    other.isDown && !sentinels.some((one) => isSentinel(one, other));
  return [...betas.filter((beta) => !isKnown(beta)), ...(excess ? others.filter(isGone) : [])];
}

const isSame = (a: HostPort, b: HostPort): boolean => a.host === b.host && a.port === b.port;

/** Why nobody should forget anything now. */
function findObstacle(
  peers: readonly PeerView[],
  sentinels: readonly SentinelView[],
  knowing: readonly Knowing[],
  at: Knowing,
): string | undefined {
  if (knowing.length <= sentinels.length / 2) return "no majority of Sentinels answers";
  const { alpha } = at.seen;
  const isAtOne = ({ seen }: Knowing) =>
    isSame(seen.alpha, alpha) && seen.promoted === undefined && seen.flags.join() === "master";
  const doubter = knowing.find((one) => !isAtOne(one));
  if (doubter) return `${doubter.name} is not at one with the others about the alpha`;
  const servers = peers.filter(isServer);
  const server = servers.find((one) => isAt(one, alpha));
  if (server?.seen.role !== "alpha") return "the alpha that they name does not answer";
  const looking = knowing.find((one) => one !== at && !knowsAll(one, server, servers, knowing));
  return looking && `${looking.name} has yet to find everybody`;
}

/** The betas of this alpha that answer, and the other Sentinels. */
function knowsAll(
  { seen: { betas, others }, address }: Knowing,
  alpha: ServerPeer,
  servers: readonly ServerPeer[],
  knowing: readonly Knowing[],
): boolean {
  const own = servers.filter(
    ({ seen }) => seen.role === "beta" && seen.inSync && seen.alphaAt && isAt(alpha, seen.alphaAt),
  );
  const isUp = (known: readonly Acquaintance[]) => known.filter(({ isDown }) => !isDown);
  return (
    own.every((beta) => isUp(betas).some((one) => isAt(beta, one))) &&
    knowing.every(
      (other) => other.address === address || isUp(others).some((one) => isSentinel(other, one)),
    )
  );
}
