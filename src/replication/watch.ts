/**
 * The nodes and the Sentinels, as the log tells of them.
 */
import { formatAddress, formatEndpoint } from "../address.ts";
import type { LogFields } from "../log.ts";
import type { Sight } from "../watcher.ts";
import type { PeerView, SentinelView } from "./types.ts";

export const sightsOf = (
  peers: readonly PeerView[],
  sentinels: readonly SentinelView[],
): readonly Sight[] => [...peers.map(sightOfPeer), ...sentinels.map(sightOfSentinel)];

function sightOfPeer({ name, address, seen }: PeerView): Sight {
  const at = { address: address && formatAddress(address), state: seen.state };
  const isTrouble = seen.state === "denied";
  switch (seen.state) {
    case "server": {
      const { role, alphaAt, inSync } = seen;
      const fields: LogFields = { ...at, role, alpha: alphaAt && formatEndpoint(alphaAt), inSync };
      return { name, gist: `answers as ${role}`, fields, isTrouble };
    }
    case "waiting": {
      const { hostname, disk, claims } = seen;
      const fields = { ...at, hostname, ...disk, claims };
      return { name, gist: `decides too; its disk: ${disk.kind}`, fields, isTrouble };
    }
    default:
      return {
        name,
        gist: `${seen.state}: ${seen.why}`,
        fields: { ...at, why: seen.why },
        isTrouble,
      };
  }
}

function sightOfSentinel({ name, seen }: SentinelView): Sight {
  const base = { name: `sentinel of ${name}`, isTrouble: seen.state === "denied" };
  switch (seen.state) {
    case "knows": {
      const alpha = formatEndpoint(seen.alpha);
      const fields = { state: seen.state, alpha, epoch: seen.epoch, flags: seen.flags.join(",") };
      return { ...base, gist: `names ${alpha}`, fields };
    }
    case "knows-nothing":
      return { ...base, gist: "knows no alpha", fields: { state: seen.state } };
    default:
      return {
        ...base,
        gist: `${seen.state}: ${seen.why}`,
        fields: { state: seen.state, why: seen.why },
      };
  }
}
