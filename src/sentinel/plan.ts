/**
 * Which alpha a Sentinel starts to watch, and what of its memory is still true. Pure.
 *
 * Only an alpha that answers is watched, with one exception: where betas run whose alpha does not, and Sentinels were all
 * restarted, somebody has to elect another; they start with the dead alpha and its betas, and do so.
 */
import { isIP } from "node:net";
import { endpointOf, findNewestAlpha, isSentinel } from "../replication/read-sentinels.ts";
import {
  type HostPort,
  isServer,
  type PeerView,
  type SentinelView,
  type ServerPeer,
} from "../replication/types.ts";
import type { SentinelState } from "./state.ts";

export interface SentinelObservation {
  /** From its own sentinel.conf. */
  readonly remembered: SentinelState | undefined;
  readonly peers: readonly PeerView[];
  /** The others. */
  readonly sentinels: readonly SentinelView[];
  readonly unchangedMs: number;
  readonly peerWaitMs: number;
}

const settleMs = 1_000;

export type SentinelPlan =
  | { readonly kind: "wait"; readonly reason: string }
  | { readonly kind: "become"; readonly reason: string; readonly state: SentinelState };

export function planSentinel(observation: SentinelObservation): SentinelPlan {
  const { peers, unchangedMs, peerWaitMs } = observation;
  const servers = peers.filter(isServer);
  const alpha = findAlpha(observation, servers);
  const starting = peers.find(({ seen }) => seen.state !== "server");
  // Those that it starts with it knows at once; of others it hears when it asks the alpha again, ten seconds later.
  if (alpha && starting && unchangedMs < settleMs)
    return {
      kind: "wait",
      reason: `${alpha.name} is the alpha; ${starting.name} is about to start`,
    };
  if (alpha) return watch(observation, servers, endpointOf(alpha), `the alpha ${alpha.name}`);
  const lost = findLostAlpha(observation, servers);
  if (lost === undefined) return { kind: "wait", reason: "no alpha answers yet" };
  const name = `${lost.host}:${lost.port}`;
  if (unchangedMs < peerWaitMs)
    return { kind: "wait", reason: `the alpha ${name} does not answer, and its betas do` };
  return watch(
    observation,
    servers,
    lost,
    `the alpha ${name}, which does not answer, to replace it`,
  );
}

/** Of several alphas the one that the newest opinion names: the other Sentinels', or the own. */
function findAlpha(
  { remembered, sentinels }: SentinelObservation,
  servers: readonly ServerPeer[],
): ServerPeer | undefined {
  const alphas = servers.filter(({ seen }) => seen.role === "alpha");
  const opinions = sentinels.flatMap(({ seen }) => (seen.state === "knows" ? [seen] : []));
  const own = remembered && {
    alpha: remembered.alpha,
    promoted: undefined,
    epoch: remembered.configEpoch,
  };
  return (
    findNewestAlpha(servers, own ? [...opinions, own] : opinions) ??
    [...alphas].sort((a, b) => b.seen.betas.length - a.seen.betas.length)[0]
  );
}

/** The alpha that betas which run would copy, if it were there. */
function findLostAlpha(
  { remembered }: SentinelObservation,
  servers: readonly ServerPeer[],
): HostPort | undefined {
  const wanted = servers.flatMap(({ seen }) => (seen.alphaAt ? [seen.alphaAt] : []));
  const isRemembered = wanted.find(
    ({ host, port }) => remembered?.alpha.host === host && remembered.alpha.port === port,
  );
  return isRemembered ?? wanted[0];
}

/** Betas and Sentinels that nobody answers for are dropped: remembered, they would be waited for for ever. */
function watch(
  { remembered, sentinels }: SentinelObservation,
  servers: readonly ServerPeer[],
  alpha: HostPort,
  what: string,
): SentinelPlan {
  const answering = sentinels.filter(
    ({ seen }) => seen.state === "knows" || seen.state === "knows-nothing",
  );
  const newest = Math.max(
    remembered?.configEpoch ?? 0,
    ...sentinels.map(({ seen }) => (seen.state === "knows" ? seen.epoch : 0)),
  );
  const state: SentinelState = {
    alpha,
    configEpoch: newest,
    currentEpoch: Math.max(remembered?.currentEpoch ?? 0, newest),
    leaderEpoch: remembered?.leaderEpoch ?? 0,
    betas: servers.filter(({ seen }) => seen.role === "beta").map(endpointOf),
    sentinels: (remembered?.sentinels ?? []).flatMap((known) => whereItIs(known, answering)),
  };
  return { kind: "become", reason: `watching ${what}`, state };
}

/** By its id, wherever it answers now; its name stays true. Nowhere, where nobody answers for it. */
function whereItIs(
  known: SentinelState["sentinels"][number],
  answering: readonly SentinelView[],
): SentinelState["sentinels"] {
  const view = answering.find((one) => isSentinel(one, known));
  if (view?.address === undefined) return [];
  const { ip, port } = view.address;
  return [isIP(known.host) === 0 ? known : { ...known, host: ip, port }];
}
