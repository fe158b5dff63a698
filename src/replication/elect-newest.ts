/**
 * Nobody runs: all were started at once, or for the first time. The newest data leads. Pure.
 *
 * Every node compares the same disks and finds the same one. That one first tells the others that it leads, and looks once
 * more: of two that do so at the same time at least one sees the other. Only a majority decides, so that no two sides of a
 * partition can.
 */
import { compareNames } from "../address.ts";
import { becomeAlpha, wait } from "./outcomes.ts";
import type { DiskFacts, Observation, Plan } from "./types.ts";

interface Candidate {
  readonly name: string;
  readonly hostname: string;
  readonly disk: DiskFacts;
  readonly claims: boolean;
}

/** Files of two nodes that ended together differ by about the time between two writes to the disk (appendfsync everysec). */
const sameTimeMs = 2_000;

/** By more than the clocks of two machines, and two writes, may differ. */
export const isOlder = (
  one: Pick<DiskFacts, "writtenAtMs">,
  other: Pick<DiskFacts, "writtenAtMs">,
): boolean => other.writtenAtMs - one.writtenAtMs > sameTimeMs;

export function electNewest(observation: Observation): Plan {
  const { policy, self, peers, unchangedMs } = observation;
  const loading = peers.find(({ seen }) => seen.state === "silent" && seen.isLoading);
  if (loading) return wait(`${loading.name} is loading its data`);
  const others = peers.flatMap(({ name, seen }): Candidate[] =>
    seen.state === "waiting" ? [{ name, ...seen }] : [],
  );
  const here = others.length + 1;
  const missing = peers.filter(({ seen }) => seen.state !== "waiting").map(({ name }) => name);
  const isComplete = here >= policy.nodes;
  if (!isComplete && unchangedMs < policy.peerWaitMs)
    return wait(`${here} of ${policy.nodes} nodes are there${listed("; not yet: ", missing)}`);
  const isMajority = here > policy.nodes / 2;
  if (!isMajority && !mayStartAlone(self, peers.length)) {
    return wait(
      `${here} of ${policy.nodes} nodes are there; a majority must be, to know whose data is newest${listed("; missing: ", missing)}`,
    );
  }
  const best = findNewest(self, others);
  return best === self ? claimOrLead(observation, others) : leaveItTo(best, self);
}

const listed = (intro: string, names: readonly string[]): string =>
  names.length === 0 ? "" : `${intro}${names.join(", ")}`;

/** A first pod whose fellows Kubernetes starts only when it is ready: nobody else is named, and there is nothing to lose. */
const mayStartAlone = ({ hostname, disk }: Candidate, peers: number): boolean =>
  peers === 0 && disk.kind === "none" && ordinalOf(hostname) === 0;

/** `redis-0` → 0; hosts without a number come last. */
const ordinalOf = (hostname: string): number =>
  Number(/-(\d+)(?:\.|$)/.exec(hostname)?.[1] ?? Number.POSITIVE_INFINITY);

/** Of those with the newest data, which is nobody's or somebody's, the last alpha, and then the first ordinal. */
function findNewest(self: Candidate, others: readonly Candidate[]): Candidate {
  const all = [self, ...others];
  const newestMs = Math.max(...all.map(({ disk }) => disk.writtenAtMs));
  const newest = all.filter(({ disk }) => !isOlder(disk, { writtenAtMs: newestMs }));
  return newest.reduce((best, one) => (isBefore(one, best) ? one : best));
}

function isBefore(a: Candidate, b: Candidate): boolean {
  if (a.disk.wasAlpha !== b.disk.wasAlpha) return a.disk.wasAlpha;
  const [first, second] = [ordinalOf(a.hostname), ordinalOf(b.hostname)];
  if (first !== second) return first < second;
  return (compareNames(a.hostname, b.hostname) || compareNames(a.name, b.name)) < 0;
}

function claimOrLead(
  { self, snapshot }: Pick<Observation, "self" | "snapshot">,
  others: readonly Candidate[],
): Plan {
  const rival = others.find(({ claims }) => claims);
  // It looked before we claimed, and may be about to start; or it will see us, and yield.
  if (rival) return wait(`${rival.name} is about to become the alpha`);
  const hasData = self.disk.kind !== "none";
  const reason = hasData
    ? "no server runs, and this node has the newest data"
    : "no server runs, nobody has data, and this node is the first";
  if (!self.claims) return { kind: "claim", reason };
  if (!hasData && snapshot === "unknown")
    return { kind: "find-snapshot", reason: `${reason}: is there a snapshot?` };
  if (!hasData && snapshot === "found") {
    if (!self.isRestored) return { kind: "restore", reason: `${reason}: restoring the snapshot` };
    return becomeAlpha("the snapshot is restored, and nobody has other data", "Restored");
  }
  return becomeAlpha(reason, hasData ? "Returned" : "Founded");
}

function leaveItTo(best: Candidate, self: Candidate): Plan {
  const reason = `${best.name} ${best.disk.kind === "none" ? "is the first" : "has the newest data"} and becomes the alpha`;
  return self.claims ? { kind: "yield", reason } : wait(reason);
}
