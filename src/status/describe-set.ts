/**
 * What the nodes and Sentinels of a set say, as a person wants to know it. Pure.
 */
import { compareNames, formatAddress, formatEndpoint } from "../address.ts";
import { isAt } from "../replication/read-sentinels.ts";
import {
  type HostPort,
  isServer,
  type PeerView,
  type SentinelView,
  type ServerPeer,
} from "../replication/types.ts";
import type { StatusNode } from "./describe-status.ts";
import type { SetView } from "./read-set.ts";

export interface SentinelStatus {
  readonly name: string;
  readonly address: string;
  readonly answers: boolean;
  /** Name or address of the alpha that it names; undefined where it knows none. */
  readonly alpha: string | undefined;
}

export interface SetStatus {
  /**
   * `whole`: one alpha, whom all betas copy and all Sentinels name, and these know each other and every beta. `down`: nobody
   * takes writes.
   */
  readonly state: "whole" | "degraded" | "down" | "unreachable";
  readonly set: string;
  readonly alpha: StatusNode | undefined;
  readonly betas: readonly StatusNode[];
  readonly sentinels: readonly SentinelStatus[];
  /** How many nodes' servers answer. */
  readonly nodes: number;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

export function describeSet(seen: SetView, set: string): SetStatus {
  const peers = byName(seen.peers);
  const sentinels = byName(seen.sentinels);
  const servers = peers.filter(isServer);
  const alphas = servers.filter(({ seen }) => seen.role === "alpha");
  const alpha = chooseAlpha(alphas, sentinels);
  const problems = [
    ...nodeProblems(peers, alphas, alpha),
    ...sentinelProblems(sentinels, peers, alpha),
  ];
  const isWhole = problems.length === 0;
  const others = peers.filter((peer) => peer !== alpha);
  return {
    state:
      servers.length === 0
        ? "unreachable"
        : alpha === undefined
          ? "down"
          : isWhole
            ? "whole"
            : "degraded",
    set,
    alpha: alpha && describeNode(alpha, undefined),
    betas: others.map((peer) => describeNode(peer, alpha)),
    sentinels: sentinels.map((view) => describeSentinel(view, peers)),
    nodes: servers.length,
    problems,
    warnings: findSetWarnings(servers, sentinels),
  };
}

const byName = <T extends { readonly name: string }>(all: readonly T[]): readonly T[] =>
  [...all].sort((a, b) => compareNames(a.name, b.name));

/** Of several the one that most Sentinels name. */
function chooseAlpha(
  alphas: readonly ServerPeer[],
  sentinels: readonly SentinelView[],
): ServerPeer | undefined {
  const votes = (alpha: ServerPeer) =>
    sentinels.filter(({ seen }) => seen.state === "knows" && isAt(alpha, seen.alpha)).length;
  return [...alphas].sort((a, b) => votes(b) - votes(a))[0];
}

function nodeProblems(
  peers: readonly PeerView[],
  alphas: readonly ServerPeer[],
  alpha: ServerPeer | undefined,
): readonly string[] {
  const names = alphas.map(({ name }) => name).join(" and ");
  return [
    ...(alphas.length === 0 ? ["no node is the alpha: nobody takes writes"] : []),
    ...(alphas.length > 1 ? [`${names} are both alphas: what one of them takes will be lost`] : []),
    ...peers.flatMap(({ name, seen }): string[] => {
      if (seen.state === "waiting") return [`${name} has yet to decide what it must be`];
      if (seen.state !== "server") return [`${name} does not answer: ${seen.why}`];
      if (seen.role === "alpha" || seen.alphaAt === undefined) return [];
      if (alpha && !isAt(alpha, seen.alphaAt))
        return [`${name} copies ${formatEndpoint(seen.alphaAt)}, not ${alpha.name}`];
      return seen.inSync ? [] : [`${name} is not in sync with its alpha`];
    }),
  ];
}

function sentinelProblems(
  sentinels: readonly SentinelView[],
  peers: readonly PeerView[],
  alpha: ServerPeer | undefined,
): readonly string[] {
  const answering = sentinels.filter(({ seen }) => seen.state === "knows").length;
  const betas = peers.filter((peer) => isServer(peer) && peer.seen.role === "beta").length;
  const isMinority = answering <= sentinels.length / 2;
  return [
    ...(isMinority ? ["no majority of Sentinels answers: a lost alpha would not be replaced"] : []),
    ...[...findStrangers(sentinels, peers)].map(
      (stranger) => `the Sentinels still list the beta ${stranger}, and no node is there`,
    ),
    ...sentinels.flatMap(({ name, seen }): string[] => {
      if (seen.state === "knows-nothing") return [`the Sentinel ${name} watches no alpha`];
      if (seen.state !== "knows") return [`the Sentinel ${name} does not answer: ${seen.why}`];
      if (alpha === undefined || !isAt(alpha, seen.alpha))
        return [`the Sentinel ${name} names ${nameAt(peers, seen.alpha)}`];
      return [
        ...lackOf(`the Sentinel ${name}`, seen.betas.length, betas, "betas"),
        ...lackOf(`the Sentinel ${name}`, seen.others.length, answering - 1, "other Sentinels"),
      ];
    }),
  ];
}

/** Whom it has yet to hear of, it cannot promote, nor ask for a vote. */
const lackOf = (who: string, known: number, all: number, of: string): readonly string[] =>
  known < all ? [`${who} knows ${known} of ${all} ${of}`] : [];

/** Where Sentinels know betas of, and no node is. */
const findStrangers = (
  sentinels: readonly SentinelView[],
  peers: readonly PeerView[],
): ReadonlySet<string> =>
  new Set(
    sentinels
      .flatMap(({ seen }) => (seen.state === "knows" ? seen.betas : []))
      .filter((beta) => !peers.some((peer) => isAt(peer, beta)))
      .map(formatEndpoint),
  );

function findSetWarnings(
  servers: readonly ServerPeer[],
  sentinels: readonly SentinelView[],
): readonly string[] {
  const machines = new Set(servers.map(({ pod }) => pod?.kubernetesNode));
  const [machine] = machines;
  return [
    ...(servers.length === 1 ? ["there is no beta: with the alpha all data is lost"] : []),
    ...(sentinels.length > 0 && sentinels.length % 2 === 0
      ? [`${sentinels.length} Sentinels bear no more failures than ${sentinels.length - 1}`]
      : []),
    ...(servers.length > 1 && machines.size === 1 && machine !== undefined
      ? [`all nodes run on one Kubernetes node (${machine}): losing it loses everything`]
      : []),
  ];
}

function describeNode(peer: PeerView, alpha: ServerPeer | undefined): StatusNode {
  const { name, address, seen, pod } = peer;
  const shown = address ? formatAddress(address) : name;
  const place = { kubernetesNode: pod?.kubernetesNode, template: pod?.template };
  if (seen.state !== "server") {
    const silent = { role: "beta", answers: false, keys: 0, lagBytes: undefined } as const;
    return { name, address: shown, id: shown, ...silent, state: "silent", ...place };
  }
  const isBeta = seen.role === "beta";
  return {
    name,
    address: shown,
    id: seen.runId,
    role: seen.role,
    answers: true,
    keys: seen.keys,
    lagBytes: isBeta && alpha ? Math.max(0, alpha.seen.offset - seen.offset) : undefined,
    state: isBeta && !seen.inSync ? "link down" : "ok",
    ...place,
  };
}

const describeSentinel = (
  { name, address, seen }: SentinelView,
  peers: readonly PeerView[],
): SentinelStatus => ({
  name,
  address: address ? formatAddress(address) : name,
  answers: seen.state === "knows" || seen.state === "knows-nothing",
  alpha: seen.state === "knows" ? nameAt(peers, seen.alpha) : undefined,
});

const nameAt = (peers: readonly PeerView[], at: HostPort): string =>
  peers.find((peer) => isAt(peer, at))?.name ?? formatEndpoint(at);
