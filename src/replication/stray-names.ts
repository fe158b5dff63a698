/**
 * Names that do not lead to those who announce them: not known to the name server yet, or still another pod's.
 */
import { findStrayName } from "../discovery/dns.ts";
import type { ServerPeer } from "./types.ts";

const lookupDeadlineMs = 2_000;

/** @returns what is wrong with each, in words. Those without a name are known by their address. */
export async function findStrayNames(
  nodes: readonly Pick<ServerPeer, "address" | "announcedAs">[],
): Promise<readonly string[]> {
  const found = await Promise.all(
    nodes.map(
      ({ address, announcedAs }) =>
        announcedAs && findStrayName(announcedAs, address.ip, lookupDeadlineMs),
    ),
  );
  return found.filter((why) => why !== undefined);
}
