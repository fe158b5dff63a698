/**
 * Discovery from DNS: one name that resolves to all peers, as a headless service or a Docker network alias does.
 *
 * The name must resolve to nodes that are not ready too (`publishNotReadyAddresses: true`), or nobody could found a cluster.
 */
import { type LookupAddress, lookup } from "node:dns";
import { isIPv6 } from "node:net";
import { busPortDistance, compareNames, formatAddress } from "../address.ts";
import { withDeadline } from "../deadline.ts";
import { codeOf, messageOf } from "../errors.ts";
import { type Discovery, ownAddresses, type Peers } from "./discovery.ts";

export interface DnsOptions {
  readonly name: string;
  readonly port: number;
  readonly busPort: number | undefined;
  readonly address: string | undefined;
  readonly family: "auto" | "4" | "6";
  readonly lookupDeadlineMs: number;
}

export function discoverDns(options: DnsOptions): Discovery {
  return {
    async find() {
      try {
        return peersAt(
          await withDeadline(lookupAll(options.name), options.lookupDeadlineMs),
          options,
        );
      } catch (thrown) {
        const why = `"${options.name}" does not resolve (${codeOf(thrown) ?? messageOf(thrown)})`;
        return { self: undefined, selfWaitingFor: why, others: [] };
      }
    },
  };
}

/** By the system's own resolver, as redis-server would: /etc/hosts and search domains count. @throws where it does not resolve. */
export function lookupAll(name: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    lookup(name, { all: true }, (error, found: LookupAddress[]) => {
      if (error) reject(error);
      else resolve([...new Set(found.map((one) => one.address))]);
    });
  });
}

/** Why the name does not lead there, in words; undefined where it does. */
export async function findStrayName(
  name: string,
  ip: string,
  deadlineMs: number,
): Promise<string | undefined> {
  try {
    const found = await withDeadline(lookupAll(name), deadlineMs);
    return found.includes(ip)
      ? undefined
      : `"${name}" resolves to ${found.join(", ")}, not to ${ip}`;
  } catch (thrown) {
    return `"${name}" does not resolve (${codeOf(thrown) ?? messageOf(thrown)})`;
  }
}

function peersAt(addresses: readonly string[], options: DnsOptions): Peers {
  const mine = options.address === undefined ? ownAddresses() : new Set([options.address]);
  const own = addresses.filter((ip) => mine.has(ip));
  const counted = addresses.filter(
    (ip) => isIPv6(ip) === wantsIPv6(own.length > 0 ? own : addresses, options.family),
  );
  const nodes = counted
    .map((ip) => {
      const address = {
        ip,
        port: options.port,
        busPort: options.busPort ?? options.port + busPortDistance,
      };
      return { name: formatAddress(address), address };
    })
    .sort((a, b) => compareNames(a.name, b.name));
  const self = nodes.find((node) => mine.has(node.address.ip));
  return {
    self,
    selfWaitingFor: `"${options.name}" resolves to ${nodes.map((node) => node.address.ip).join(", ")}, not to this node`,
    others: nodes.filter((node) => node !== self),
  };
}

/** A dual-stack name lists every peer twice; one family counts, IPv4 where there is a choice. */
function wantsIPv6(addresses: readonly string[], family: DnsOptions["family"]): boolean {
  return family === "auto" ? addresses.every((ip) => isIPv6(ip)) : family === "6";
}
