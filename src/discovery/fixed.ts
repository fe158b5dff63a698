/**
 * Discovery from a list: the peers are named in the settings, each as host:port.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { type Address, compareNames, type Endpoint, parseEndpoint } from "../address.ts";
import { withDeadline } from "../deadline.ts";
import { codeOf, messageOf, RekindleError } from "../errors.ts";
import { type Discovery, ownAddresses, type Peer } from "./discovery.ts";

export interface FixedOptions {
  readonly peers: readonly string[];
  readonly port: number;
  readonly busPort: number | undefined;
  /** The own address, where the list does not tell. */
  readonly address: string | undefined;
  readonly lookupDeadlineMs: number;
  /** This process is none of the nodes: it need not be in the list. */
  readonly isOutside?: boolean;
}

/** @throws RekindleError for a list that no waiting would mend. */
export function discoverFixed(options: FixedOptions): Discovery {
  const endpoints = options.peers.map((text) => ({
    name: text,
    ...parseEndpoint(text, options.port),
  }));
  refuseDuplicates(endpoints, (endpoint) => `${endpoint.host}:${endpoint.port}`);

  return {
    async find() {
      const peers = await Promise.all(
        endpoints.map((endpoint) => resolveEndpoint(endpoint, options.lookupDeadlineMs)),
      );
      const addressed = peers.filter((peer) => peer.address !== undefined);
      refuseDuplicates(addressed, (peer) => `${peer.address.ip}:${peer.address.port}`);
      const self = findSelf(addressed, endpoints, options);
      if (self === undefined && addressed.length === peers.length && !options.isOutside)
        throw ownEntryMissing(options);
      const others = peers.filter((peer) => peer.name !== self?.name);
      return {
        self,
        selfWaitingFor: describeUnresolved(peers),
        others: others.sort((a, b) => compareNames(a.name, b.name)),
      };
    },
  };
}

type AddressedPeer = Peer & { readonly address: Address };

function findSelf(
  peers: readonly AddressedPeer[],
  endpoints: readonly (Endpoint & { readonly name: string })[],
  options: FixedOptions,
): AddressedPeer | undefined {
  const candidates = peers.filter((peer) => peer.address.port === options.port);
  const mine = options.address === undefined ? ownAddresses() : new Set([options.address]);
  const found = candidates.filter((peer) => mine.has(peer.address.ip));
  if (found.length <= 1) return found[0];
  const byName = endpoints.find((endpoint) => endpoint.host === hostname());
  const self = found.find((peer) => peer.name === byName?.name);
  if (self !== undefined) return self;
  throw new RekindleError(
    "configuration",
    `several peers are this machine at port ${options.port}: ${found.map((peer) => peer.name).join(", ")}`,
    { hint: "say which one this node is with --address" },
  );
}

/** The peer with its address, or with the reason why its name has none. */
export async function resolveEndpoint(
  endpoint: Endpoint & { readonly name: string },
  deadlineMs: number,
): Promise<Peer> {
  const { name, host, port, busPort } = endpoint;
  if (isIP(host) !== 0) return { name, address: { ip: host, port, busPort } };
  try {
    const { address } = await withDeadline(lookup(host), deadlineMs);
    return { name, address: { ip: address, port, busPort } };
  } catch (thrown) {
    return {
      name,
      address: undefined,
      waitingFor: `"${host}" does not resolve (${codeOf(thrown) ?? messageOf(thrown)})`,
    };
  }
}

function refuseDuplicates<T extends { readonly name: string }>(
  items: readonly T[],
  keyOf: (item: T) => string,
): void {
  const seen = new Map<string, T>();
  for (const item of items) {
    const twin = seen.get(keyOf(item));
    if (twin !== undefined) {
      const names =
        twin.name === item.name
          ? `"${item.name}" twice`
          : `"${twin.name}" and "${item.name}", which are the same node`;
      throw new RekindleError("configuration", `the peer list names ${names}`, {
        hint: "name every node once in --peers",
      });
    }
    seen.set(keyOf(item), item);
  }
}

function describeUnresolved(peers: readonly Peer[]): string {
  return peers.flatMap((peer) => (peer.address === undefined ? [peer.waitingFor] : [])).join(", ");
}

function ownEntryMissing(options: FixedOptions): RekindleError {
  const who = options.address ?? "any address of this machine";
  return new RekindleError(
    "configuration",
    `the peer list does not name this node (${who}, port ${options.port})`,
    {
      hint: "add it to --peers, or say with --address and --port which entry it is",
    },
  );
}
