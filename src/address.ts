/**
 * Addresses of redis-servers: parse, print, compare and sort.
 */
import { isIP } from "node:net";
import { RekindleError } from "./errors.ts";

/** Where a redis-server listens: for clients at `port`, for the other nodes of its cluster at `busPort`. */
export interface Address {
  /** IPv4 or IPv6, without brackets. */
  readonly ip: string;
  readonly port: number;
  readonly busPort: number;
}

/** A host (name or IP) with its ports, before it is resolved. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly busPort: number;
}

/** Redis' own distance between the client port and the bus port (cluster specification). */
export const busPortDistance = 10_000;

/**
 * Reads `host`, `host:port`, `host:port@bus`, `[v6]:port` or a bare IPv6 address.
 *
 * @param defaultPort the client port where the text names none.
 */
export function parseEndpoint(text: string, defaultPort: number): Endpoint {
  // Node's own test for IPv6 is a regular expression that costs a boot five milliseconds: not for what has fewer than two
  // colons.
  const bare = /:.*:/.test(text) && isIP(text) === 6 ? `[${text}]` : text;
  const match = /^(?:\[([^\]]+)\]|([^:@[\]\s]+))(?::(\d+))?(?:@(\d+))?$/.exec(bare);
  const host = match?.[1] ?? match?.[2];
  if (!match || host === undefined || (match[1] !== undefined && isIP(match[1]) !== 6)) {
    throw new RekindleError("usage", `"${text}" is no address`, {
      hint: "write host, host:port, host:port@busport or [IPv6]:port",
    });
  }
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  const busPort = match[4] === undefined ? port + busPortDistance : Number(match[4]);
  for (const [what, value] of [
    ["port", port],
    ["bus port", busPort],
  ] as const) {
    if (value < 1 || value > 65_535) {
      throw new RekindleError("usage", `"${text}" has ${what} ${value}, outside 1 to 65535`, {
        hint: "choose a client port up to 55535, or name the bus port as host:port@busport",
      });
    }
  }
  return { host, port, busPort };
}

/** `ip:port`, an IPv6 address in brackets. */
export function formatAddress(address: { readonly ip: string; readonly port: number }): string {
  return address.ip.includes(":")
    ? `[${address.ip}]:${address.port}`
    : `${address.ip}:${address.port}`;
}

/** `host:port`, whether the host is a name or an address. */
export const formatEndpoint = ({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number;
}): string => formatAddress({ ip: host, port });

export function sameAddress(a: Address, b: Address): boolean {
  return a.port === b.port && a.busPort === b.busPort && a.ip === b.ip;
}

/** Orders names as a person would: digits as numbers, so that `redis-10` and `10.0.0.10` come after `…9`. */
export function compareNames(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x = "", y = ""] = [left[i], right[i]];
    const byNumber = /^\d/.test(x) && /^\d/.test(y) ? Number(x) - Number(y) : 0;
    if (byNumber !== 0) return byNumber;
    if (x !== y) return x < y ? -1 : 1;
  }
  return left.length - right.length;
}
