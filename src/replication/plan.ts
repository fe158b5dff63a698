/**
 * Whether this node is the alpha or a beta, and of whom, decided from one observation. Pure: no clock, network or file.
 *
 * Asked in this order: the Sentinels, whose majority has the last word; the servers that run; and only where nobody runs, the
 * disks: the newest data leads, whatever its ordinal. An empty alpha never leads betas that have data (rule 3).
 */
import { compareNames } from "../address.ts";
import { electNewest, isOlder } from "./elect-newest.ts";
import { becomeAlpha, wait } from "./outcomes.ts";
import { endpointOf, findNamed, isAt, type Named } from "./read-sentinels.ts";
import { isServer, type Observation, type PeerView, type Plan, type ServerPeer } from "./types.ts";

export function plan(observation: Observation): Plan {
  const refusal = refuseWhenDenied(observation);
  if (refusal) return refusal;
  const servers = serversAmong(observation.peers);
  // They remember what nobody can serve any more: where no server runs, the disks decide.
  if (servers.length === 0) return electNewest(observation);
  const named = findNamed(observation);
  if (named?.isSelf) return leadAgain(observation, servers, named);
  if (named) return followNamed(observation, servers, named);
  return followServers(observation, servers);
}

const serversAmong = (peers: readonly PeerView[]): readonly ServerPeer[] => peers.filter(isServer);

function refuseWhenDenied({ peers }: Observation): Plan | undefined {
  const denials = peers.flatMap(({ seen }) => (seen.state === "denied" ? [seen.why] : []));
  const answers = peers.some(({ seen }) => seen.state === "server" || seen.state === "waiting");
  if (denials.length === 0 || answers) return undefined;
  return {
    kind: "refuse",
    exit: "configuration",
    reason: `no answering peer lets this node in: ${denials.join("; ")}`,
    hint: "give every node the same password, user and TLS authorities",
  };
}

/** The Sentinels name this node, which is about to start: it was the alpha, and was away for less than they wait. */
function leadAgain(observation: Observation, servers: readonly ServerPeer[], named: Named): Plan {
  const { self, policy, unchangedMs } = observation;
  const { flags } = named;
  // It was promoted a moment ago, and they are about to name it; or it was by hand, and they never will.
  const rival = bestAlpha(servers.filter(hasData));
  // The server writes to the append-only file before it answers; anything else is older than what a beta has in memory.
  const heir = self.disk.kind === "aof" || rival ? undefined : bestBeta(servers);
  if (heir) return abdicate(self, servers, heir, named);
  if (isElecting(flags)) return wait("the Sentinels are electing another alpha");
  // It answers them as it waits. Leading at once it would take writes, until the one whom they promote is named to it: ten seconds.
  const mayElect = flags.includes("s_down") || !named.areContent;
  if (mayElect && unchangedMs < policy.peerWaitMs)
    return wait("the Sentinels may be about to elect another alpha");
  if (rival && unchangedMs < policy.peerWaitMs)
    return wait(`${rival.name} is an alpha too; the Sentinels decide`);
  if (rival && self.disk.kind !== "aof") return becomeBeta(observation, rival);
  return becomeAlpha("the Sentinels name this node as the alpha", "Returned");
}

const isElecting = (flags: readonly string[]): boolean =>
  flags.some((flag) => flag === "o_down" || flag === "failover_in_progress");

/**
 * A Sentinel promotes only a beta that it knows, and whose link to the alpha is down for not much longer than it calls the alpha down.
 * Betas that joined just before the alpha was lost it has not heard of, and only the alpha can tell it of them.
 */
function abdicate(
  self: Observation["self"],
  servers: readonly ServerPeer[],
  heir: ServerPeer,
  { flags, sentinels, areContent }: Named,
): Plan {
  const heirs = servers.filter(
    (one) => hasData(one) && one.seen.alphaAt !== undefined && isAt(self, one.seen.alphaAt),
  );
  const abdicatesTo = heirs.map(endpointOf);
  if (isElecting(flags))
    return { ...wait("the Sentinels are electing another alpha"), abdicatesTo };
  // Asked for while they begin one themselves, it would be a second, on top of the first.
  if (!areContent)
    return { ...wait("the Sentinels may be about to elect another alpha"), abdicatesTo };
  const knowing = sentinels.find(
    ({ seen }) => seen.state === "knows" && seen.betas.some((beta) => isAt(heir, beta)),
  );
  return {
    kind: "act",
    reason: `having the Sentinels promote a beta: ${heir.name} has newer data than this alpha's disk`,
    steps: [knowing ?? sentinels[0]].flatMap((at) => (at ? [{ kind: "fail-over", at }] : [])),
    report: "Promoted",
    abdicatesTo,
  };
}

function followNamed(
  observation: Observation,
  servers: readonly ServerPeer[],
  { peer, host }: Named,
): Plan {
  const server = servers.find((one) => one.name === peer?.name);
  if (server?.seen.role === "alpha") return becomeBeta(observation, server);
  if (server) return wait(`the Sentinels name ${server.name}, which is a beta as yet`);
  if (peer?.seen.state === "waiting")
    return wait(`${peer.name}, whom the Sentinels name, is about to start`);
  const silent = `the alpha ${peer?.name ?? host} does not answer`;
  const { policy, unchangedMs } = observation;
  const other = bestAlpha(servers);
  // They promote betas only: an alpha that they do not know is one to follow, and for them to be told of.
  if (other && unchangedMs >= policy.peerWaitMs) return becomeBeta(observation, other);
  return wait(`${silent}; the Sentinels will promote ${bestBeta(servers)?.name ?? "a beta"}`);
}

/** No majority of Sentinels knows an alpha. */
function followServers(observation: Observation, servers: readonly ServerPeer[]): Plan {
  const alpha = bestAlpha(servers);
  if (alpha) return becomeBeta(observation, alpha);
  const { self, policy, sentinels, unchangedMs, peers } = observation;
  const known = sentinels.some(({ seen }) => seen.state === "knows");
  if (unchangedMs < policy.peerWaitMs)
    return wait(
      known ? "too few Sentinels answer to elect an alpha" : "no alpha answers, and no Sentinel",
    );
  if (self.disk.kind === "aof" && self.disk.wasAlpha) {
    const steps = servers.map((at) => ({ kind: "follow", at, alpha: endpointOf(self) }) as const);
    return { ...becomeAlpha("this node was the alpha, and has all its data", "Returned"), steps };
  }
  const heir = bestBeta(servers);
  if (heir === undefined) return wait("no alpha answers, and the betas that do have no data");
  const first = peers.find(({ seen }) => seen.state === "waiting");
  if (first !== undefined && compareNames(first.name, self.name) < 0)
    return wait(`${first.name} promotes ${heir.name}`);
  return {
    kind: "act",
    reason: `promoting ${heir.name}: no alpha answers, and no majority of Sentinels`,
    steps: [{ kind: "promote", at: heir }],
    report: "Promoted",
  };
}

/** Of two alphas that no Sentinel can tell apart, the one with more betas, then the one with more data. */
function bestAlpha(servers: readonly ServerPeer[]): ServerPeer | undefined {
  return [...servers]
    .filter(({ seen }) => seen.role === "alpha")
    .sort(
      ({ seen: a }, { seen: b }) =>
        b.betas.length - a.betas.length || b.offset - a.offset || b.keys - a.keys,
    )[0];
}

/** The beta that has processed most of the alpha's writes; one without any data is none. */
function bestBeta(servers: readonly ServerPeer[]): ServerPeer | undefined {
  return [...servers]
    .filter((one) => one.seen.role === "beta" && hasData(one))
    .sort(({ seen: a }, { seen: b }) => b.offset - a.offset)[0];
}

/** A server that has seen no write at all has an offset of zero. */
const hasData = ({ seen }: ServerPeer): boolean => seen.keys > 0 || seen.offset > 0;

function becomeBeta({ self, toldDisks }: Observation, alpha: ServerPeer): Plan {
  // One that told of data no older than ours and has no key now has loaded them all, deleted ones too.
  const told = toldDisks?.get(alpha.name);
  const hasLoaded = told !== undefined && !isOlder(told, self.disk);
  if (!hasData(alpha) && !hasLoaded && self.disk.kind !== "none") {
    return {
      kind: "refuse",
      exit: "refused",
      reason: `the alpha ${alpha.name} has never held anything, and this node's disk holds data that copying it would wipe`,
      hint: `stop ${alpha.name} so that this node can lead, or give this node an empty data folder`,
    };
  }
  const before = self.disk.wasAlpha
    ? "; what it wrote as an alpha and they did not copy is dropped"
    : "";
  return {
    kind: "become",
    reason: `joining as a beta of ${alpha.name}${before}`,
    alpha,
    steps: [],
    report: "Joined",
  };
}
