/**
 * Where the Sentinels are: those of a list, those behind a name, or one beside each peer.
 */
import { busPortDistance, formatAddress, formatEndpoint, parseEndpoint } from "../address.ts";
import { withDeadline } from "../deadline.ts";
import type { Peer, Peers } from "../discovery/discovery.ts";
import { lookupAll } from "../discovery/dns.ts";
import { resolveEndpoint } from "../discovery/fixed.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import type { HostPort } from "./types.ts";

export interface SentinelPlaces {
  /** As host:port. */
  readonly sentinels: readonly string[] | undefined;
  readonly sentinelDns: string | undefined;
  readonly sentinelPort: number;
}

const lookupDeadlineMs = 2_000;

/** A Sentinel asks for the same password as the nodes do, and knows no user but the default one: before 6.2 there is none. */
export const forSentinels = (options: ConnectOptions): ConnectOptions => ({
  ...options,
  credentials: { ...options.credentials, user: undefined },
});

export async function findSentinels(
  { self, others }: Peers,
  { sentinels, sentinelDns, sentinelPort: port }: SentinelPlaces,
): Promise<readonly Peer[]> {
  if (sentinels)
    return Promise.all(
      sentinels.map((name) =>
        resolveEndpoint({ name, ...parseEndpoint(name, port) }, lookupDeadlineMs),
      ),
    );
  if (sentinelDns) return lookUp(sentinelDns, port);
  const all: readonly Peer[] = self ? [self, ...others] : others;
  return all.map((peer) => (peer.address ? { ...peer, address: { ...peer.address, port } } : peer));
}

/** Whoever is known by an address or a name. */
export const resolvePeer = ({ host, port }: HostPort, name = formatEndpoint({ host, port })) =>
  resolveEndpoint({ name, host, port, busPort: port + busPortDistance }, lookupDeadlineMs);

async function lookUp(name: string, port: number): Promise<readonly Peer[]> {
  try {
    const found = await withDeadline(lookupAll(name), lookupDeadlineMs);
    return found.map((ip) => {
      const address = { ip, port, busPort: port + busPortDistance };
      return { name: formatAddress(address), address };
    });
  } catch (thrown) {
    const waitingFor = `"${name}" does not resolve (${codeOf(thrown) ?? messageOf(thrown)})`;
    return [{ name, address: undefined, waitingFor }];
  }
}
