/**
 * Betas that copy a node that is no alpha any more, and that no Sentinel knows. Pure.
 *
 * A Sentinel learns of a beta from the alpha, which it asks every ten seconds (SENTINEL_INFO_PERIOD). One that joined since, and whose
 * alpha was lost then, copies the old alpha for ever: nobody tells it of the new one, since none asks a beta for its betas. Those that
 * Sentinels know they lead themselves.
 */
import { endpointOf, isAt } from "./read-sentinels.ts";
import { isServer, type PeerView, type SentinelView, type ServerPeer, type Step } from "./types.ts";

/** @returns undefined where there are none; no steps while a majority of the Sentinels has yet to name this alpha. */
export function planStrays(
  peers: readonly PeerView[],
  sentinels: readonly SentinelView[],
  alpha: ServerPeer,
): { readonly reason: string; readonly steps: readonly Step[] } | undefined {
  const opinions = sentinels.flatMap(({ seen }) => (seen.state === "knows" ? [seen] : []));
  const isKnown = (peer: PeerView) =>
    opinions.some((one) =>
      [one.alpha, one.promoted, ...one.betas].some((at) => at && isAt(peer, at)),
    );
  const strays = peers
    .filter(isServer)
    .filter(({ seen: { role, alphaAt } }) => role === "beta" && alphaAt && !isAt(alpha, alphaAt))
    .filter((peer) => !isKnown(peer));
  if (strays.length === 0) return undefined;
  const names = strays.map(({ name }) => name).join(", ");
  const naming = opinions.filter((one) => isAt(alpha, one.alpha));
  return {
    reason: `no Sentinel knows ${names}, and it copies another node than the alpha`,
    steps:
      naming.length > sentinels.length / 2
        ? strays.map((at) => ({ kind: "follow", at, alpha: endpointOf(alpha) }))
        : [],
  };
}
