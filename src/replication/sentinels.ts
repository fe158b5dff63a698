/**
 * Where the Sentinels are: those of a list, or one beside each peer.
 */
import { parseEndpoint } from "../address.ts";
import type { Peer, Peers } from "../discovery/discovery.ts";
import { resolveEndpoint } from "../discovery/fixed.ts";

const lookupDeadlineMs = 2_000;

/** @param listed as host:port; undefined: one beside each peer. */
export function findSentinels(
  { self, others }: Peers,
  listed: readonly string[] | undefined,
  port: number,
): Promise<readonly Peer[]> {
  if (listed)
    return Promise.all(
      listed.map((name) =>
        resolveEndpoint({ name, ...parseEndpoint(name, port) }, lookupDeadlineMs),
      ),
    );
  const all: readonly Peer[] = self ? [self, ...others] : others;
  return Promise.resolve(
    all.map((peer) => (peer.address ? { ...peer, address: { ...peer.address, port } } : peer)),
  );
}
