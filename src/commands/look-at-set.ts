/**
 * What a reload knows of the set around its server, seen from outside as `rekindle status` sees it.
 */
import { type Address, formatAddress } from "../address.ts";
import type { Discovery, Peer } from "../discovery/discovery.ts";
import { messageOf, RekindleError } from "../errors.ts";
import { type ConnectOptions, connect } from "../redis/connection.ts";
import { parseInfo } from "../redis/info.ts";
import { ReplyError } from "../redis/resp.ts";
import type { SetNode, SetSeen } from "../reload/around.ts";
import { findSentinels, type SentinelPlaces } from "../replication/sentinels.ts";
import { describeSet } from "../status/describe-set.ts";
import { describeStatus } from "../status/describe-status.ts";
import { createSetReader } from "../status/read-set.ts";
import { createStatusReader } from "../status/read-status.ts";

export interface LookOptions {
  /** Where the own server listens for us. */
  readonly address: Address;
  /** Undefined: the own server names the others. */
  readonly discovery: Discovery | undefined;
  /** The ways in, of which the own server takes one. */
  readonly ways: readonly ConnectOptions[];
  readonly set: string;
  readonly sentinelPlaces: SentinelPlaces;
  /** A server that nobody follows, and that is in no cluster. */
  readonly isAlone: boolean;
}

/** @throws RekindleError `tryAgain` where the own server does not answer. */
export async function lookAtSet(options: LookOptions): Promise<SetSeen> {
  const own = await enterOwn(options);
  const { known, name, trouble, restarts } = await findKnown(options);
  const whole = { trouble, closedSentinel: undefined, sentinels: [] };
  const self = { name, address: options.address, role: "alpha", restarts } as const;
  if (options.isAlone) return { self, others: [], ...whole };
  const seen = own.nodeId
    ? await lookAtCluster(own.way, known, own.nodeId)
    : await lookAtReplication(own, known, options);
  const found = seen.nodes.find(({ isSelf }) => isSelf) ?? self;
  return {
    self: { ...found, restarts, name: options.discovery ? name : found.name },
    others: seen.nodes.filter(({ isSelf }) => !isSelf),
    trouble: seen.trouble ?? trouble,
    closedSentinel: seen.closedSentinel,
    sentinels: seen.sentinels,
  };
}

interface Own {
  readonly way: ConnectOptions;
  /** Undefined outside of a cluster. */
  readonly nodeId: string | undefined;
  readonly runId: string;
}

async function enterOwn({ address, ways }: LookOptions): Promise<Own> {
  let why: unknown;
  for (const way of ways) {
    try {
      const connection = await connect(address, way);
      const [info, id] = await connection.send([
        ["INFO", "server"],
        ["CLUSTER", "MYID"],
      ]);
      connection.close();
      const nodeId = id instanceof ReplyError ? undefined : String(id);
      return { way, nodeId, runId: parseInfo(String(info)).get("run_id") ?? "" };
    } catch (thrown) {
      why = thrown;
    }
  }
  throw new RekindleError("tryAgain", `the own server does not answer: ${messageOf(why)}`);
}

interface Known {
  readonly known: readonly Peer[];
  readonly name: string;
  /** What Kubernetes says against it. */
  readonly trouble: string | undefined;
  readonly restarts: number | undefined;
}

async function findKnown({ discovery, address }: LookOptions): Promise<Known> {
  const own = { name: formatAddress(address), address };
  if (discovery === undefined)
    return { known: [own], name: own.name, trouble: undefined, restarts: undefined };
  const { self, selfWaitingFor, others } = await discovery.find();
  if (self === undefined)
    throw new RekindleError("tryAgain", selfWaitingFor ?? "the own node is not known yet");
  const known = [self, ...others];
  return {
    known,
    name: self.name,
    trouble: known.map(describePod).find((one) => one !== undefined),
    restarts: self.pod?.server?.restarts,
  };
}

/** A pod that is in sync and not ready gets no clients yet. */
function describePod({ name, pod }: Pick<Peer, "name" | "pod">): string | undefined {
  if (pod?.isLeaving) return `${name} is ending`;
  return pod?.server?.isReady === false ? `${name} is not ready yet` : undefined;
}

interface Seen extends Pick<SetSeen, "trouble" | "closedSentinel" | "sentinels"> {
  readonly nodes: readonly (SetNode & { readonly isSelf: boolean })[];
}

async function lookAtCluster(
  way: ConnectOptions,
  known: readonly Peer[],
  ownId: string,
): Promise<Seen> {
  const reader = createStatusReader(way);
  try {
    const views = await reader.look(known);
    const { state, problems } = describeStatus(views);
    return {
      nodes: views.map(({ name, address, seen }) => ({
        name,
        address,
        role: seen.state === "answered" ? seen.role : undefined,
        isSelf: seen.state === "answered" && seen.id === ownId,
      })),
      trouble: state === "whole" ? undefined : (problems[0] ?? state),
      closedSentinel: undefined,
      sentinels: [],
    };
  } finally {
    reader.close();
  }
}

async function lookAtReplication(
  { way, runId }: Own,
  known: readonly Peer[],
  { set, sentinelPlaces }: LookOptions,
): Promise<Seen> {
  const find = (nodes: readonly Peer[]) =>
    findSentinels({ self: undefined, others: nodes }, sentinelPlaces);
  const reader = createSetReader(way, set, find);
  try {
    const seen = await reader.look(known);
    const { state, problems } = describeSet(seen, set);
    const closed = seen.sentinels.find((one) => /silent|denied/.test(one.seen.state));
    return {
      nodes: seen.peers.map(({ name, address, seen: one }) => ({
        name,
        address,
        role: one.state === "server" ? one.role : undefined,
        isSelf: one.state === "server" && one.runId === runId,
      })),
      trouble: state === "whole" ? undefined : (problems[0] ?? state),
      closedSentinel:
        closed && "why" in closed.seen
          ? `the Sentinel ${closed.name} does not take the new password: ${closed.seen.why}`
          : undefined,
      sentinels: seen.sentinels,
    };
  } finally {
    reader.close();
  }
}
