/**
 * Whom the Sentinels name as the alpha. Pure.
 */
import {
  type HostPort,
  isServer,
  type Observation,
  type Opinion,
  type PeerView,
  type SentinelView,
  type ServerPeer,
} from "./types.ts";

export interface Named extends HostPort {
  readonly isSelf: boolean;
  /** The peer at that address; undefined for this node, and for one that discovery does not know. */
  readonly peer: PeerView | undefined;
  /** What any Sentinel thinks of the state of whom it names. */
  readonly flags: readonly string[];
  /** None of them is about to call it down. */
  readonly areContent: boolean;
  /** Those that name it. */
  readonly sentinels: readonly SentinelView[];
}

/**
 * The alpha that the majority of all Sentinels names, those that do not answer included: a minority may be cut off, and name
 * one that was replaced long ago.
 */
export function findNamed({ sentinels, self, peers }: Observation): Named | undefined {
  const opinions = Map.groupBy(
    sentinels.flatMap((view) => (view.seen.state === "knows" ? [{ view, seen: view.seen }] : [])),
    // While names take the place of addresses, some have the one and some the other.
    ({ seen: { alpha } }) =>
      [self, ...peers].find((one) => isAt(one, alpha)) ?? `${alpha.host}:${alpha.port}`,
  );
  const majority = [...opinions.values()].find((group) => group.length > sentinels.length / 2);
  const alpha = majority?.[0]?.seen.alpha;
  if (majority === undefined || alpha === undefined) return undefined;
  return {
    ...alpha,
    isSelf: isAt(self, alpha),
    peer: peers.find((peer) => isAt(peer, alpha)),
    flags: sentinels.flatMap(({ seen }) => (seen.state === "knows" ? seen.flags : [])),
    areContent: majority.every(({ seen }) => seen.isContent),
    sentinels: majority.map(({ view }) => view),
  };
}

/**
 * The alpha that the newest opinion names of those that answer as one: Sentinels agree a moment after one of them has promoted it,
 * and none promotes without a majority.
 */
export function findNewestAlpha(
  peers: readonly PeerView[],
  opinions: readonly Pick<Opinion, "alpha" | "promoted" | "epoch">[],
): ServerPeer | undefined {
  const alphas = peers.filter(isServer).filter(({ seen }) => seen.role === "alpha");
  return [...opinions]
    .sort((a, b) => b.epoch - a.epoch)
    .map(({ alpha, promoted }) => alphas.find((one) => isAt(one, promoted ?? alpha)))
    .find((one) => one !== undefined);
}

/** By address, by the name that it announces, or by its own: `redis-0` is `redis-0.redis.shop.svc.cluster.local`. */
export function isAt(
  { name, address, announcedAs }: Pick<PeerView, "name" | "address" | "announcedAs">,
  { host, port }: HostPort,
): boolean {
  if (address === undefined || address.port !== port) return false;
  return [address.ip, announcedAs, name].includes(host) || host.startsWith(`${name}.`);
}

/** By its id, whatever its name, or by its address: before 6.2 none tells its id. */
export const isSentinel = (
  view: SentinelView,
  known: HostPort & { readonly id?: string },
): boolean => (view.id !== undefined && view.id === known.id) || isAt(view, known);

/** Where Sentinels and the other nodes know it to be. */
export const endpointOf = ({
  address: { ip, port },
  announcedAs,
}: Pick<ServerPeer, "address" | "announcedAs">): HostPort => ({ host: announcedAs ?? ip, port });
