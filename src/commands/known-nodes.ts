/**
 * Where a verb that looks from outside begins: with any node of a cluster or a set.
 */
import { parseEndpoint } from "../address.ts";
import type { Peer } from "../discovery/discovery.ts";
import { resolveEndpoint } from "../discovery/fixed.ts";
import { messageOf, RekindleError } from "../errors.ts";
import { knownPeers, readState, stateFolder } from "../local/state.ts";
import { createLog } from "../log.ts";
import { optionalText, type Settings, text } from "../settings.ts";
import { askKubernetes, type whereaboutsDescriptions } from "./surroundings.ts";

export const knownNodesDescriptions = {
  connect: optionalText("any node of the cluster or set, as host:port", {
    defaultText:
      "the local cluster or set if it runs, else in a pod its cluster's pods, else 127.0.0.1:6379",
  }),
  name: text("which local cluster or set", { fallback: "default" }),
} as const;

export interface KnownNodes {
  find(): Promise<readonly Peer[]>;
  /** What `rekindle up` has left running. */
  readonly local: LocalNodes | undefined;
  close(): Promise<void>;
}

interface LocalNodes {
  readonly isSet: boolean;
  readonly sentinels: readonly Peer[];
}

/** @throws RekindleError where a name does not resolve. */
export async function openKnownNodes(
  settings: Settings<typeof knownNodesDescriptions & typeof whereaboutsDescriptions>,
  environment: NodeJS.ProcessEnv,
  verb: string,
): Promise<KnownNodes> {
  const isNamed = settings.connect !== undefined;
  const local = isNamed ? undefined : findLocal(settings.name, environment);
  const pods = isNamed || local ? undefined : await findPods(settings, environment, verb);
  const wanted = settings.connect ?? ownNode;
  let known = local?.nodes ?? [await resolveNode(wanted)];
  /** A name may lead elsewhere by now. */
  async function findNamed(): Promise<readonly Peer[]> {
    if (local === undefined)
      known = await resolveNode(wanted).then(
        (node) => [node],
        () => known,
      );
    return known;
  }
  return {
    local,
    find: async () => (await pods?.find()) ?? findNamed(),
    close: async () => pods?.close(),
  };
}

interface Pods {
  /** Undefined where the API server does not tell; the nodes' own tables have to do then. */
  find(): Promise<readonly Peer[] | undefined>;
  close(): Promise<void>;
}

/** In a pod: the pods of the same owner. */
async function findPods(
  settings: Settings<typeof whereaboutsDescriptions>,
  environment: NodeJS.ProcessEnv,
  verb: string,
): Promise<Pods | undefined> {
  // Standard output may be the status.
  const log = createLog("warn", "text", 2);
  const unheard = (thrown: unknown) => {
    log.warn("observed", `no pod is known by its name: ${messageOf(thrown)}`);
    return undefined;
  };
  const around = await askKubernetes(settings, environment, log, verb, unheard);
  return (
    around && {
      async find() {
        const { self, selfWaitingFor, others } = await around.discovery.find();
        return self ? [self, ...others] : unheard(new Error(selfWaitingFor));
      },
      close: around.close,
    }
  );
}

/** What `rekindle up` has left running under this name. */
function findLocal(name: string, environment: NodeJS.ProcessEnv) {
  const state = readState(stateFolder(name, environment));
  const nodes = state ? knownPeers(state, "nodes") : [];
  if (state === undefined || nodes.length === 0) return undefined;
  const isSet = state.topology === "sentinel";
  return { isSet, nodes, sentinels: knownPeers(state, "sentinels") };
}

const ownNode = "127.0.0.1:6379";

async function resolveNode(wanted: string): Promise<Peer> {
  const peer = await resolveEndpoint({ name: wanted, ...parseEndpoint(wanted, 6379) }, 5_000);
  if (peer.address === undefined) {
    throw new RekindleError("tryAgain", `${wanted}: ${peer.waitingFor}`, {
      hint: "check the name in --connect",
    });
  }
  return peer;
}
