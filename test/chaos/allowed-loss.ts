/**
 * Where Redis may lose what it acknowledged, and for how long. Pure; the table is in README.md beside this.
 *
 * A write is lost by Redis' own rules only where the node that acknowledged it was hit while it was an alpha, at that time.
 */
import type { Allowance } from "./check-history.ts";
import type { FaultKind, Strike, Topology } from "./faults.ts";
import { hostOf, type Write } from "./history.ts";

/** An alpha that lost its role without a fault of ours: a machine that is too slow for the node timeout. */
export interface Demotion {
  readonly node: string;
  readonly atMs: number;
  /** How late the harness itself was then, in milliseconds. */
  readonly lagMs: number;
}

export interface LossRules {
  readonly topology: Topology;
  /** After this long without the others an alpha of a cluster takes no writes. */
  readonly nodeTimeoutMs: number;
  readonly strikes: readonly Strike[];
  readonly demotions: readonly Demotion[];
}

/** What an alpha had not sent yet when it was hit: usually a few milliseconds, more on a busy machine. */
const tailMs = 2_000;
/** Until Sentinels have turned an old alpha that came back into a beta. */
const demotedWithinMs = 20_000;
/** How late a harness is on a machine that misses a node timeout. */
const starvedMs = 500;

export function allowedLoss({ topology, nodeTimeoutMs, strikes, demotions }: LossRules): Allowance {
  const heldMs = topology === "cluster" ? nodeTimeoutMs + tailMs : demotedWithinMs;
  const untilOf = (strike: Strike): number | undefined => {
    switch (lossOf[strike.kind]) {
      case "tail":
        return strike.startedMs + tailMs;
      case "cut off":
        // A cluster's alpha notices that it is alone; one under Sentinel does not.
        return topology === "cluster"
          ? Math.min(strike.startedMs + heldMs, strike.endedMs + tailMs)
          : strike.endedMs + heldMs;
      case "frozen":
        return strike.endedMs + (topology === "cluster" ? tailMs : heldMs);
      default:
        return undefined;
    }
  };
  const windows = strikes.flatMap((strike) => {
    const untilMs = untilOf(strike);
    return untilMs === undefined ? [] : [{ strike, fromMs: strike.startedMs - tailMs, untilMs }];
  });
  return (write) => {
    const node = hostOf(write.node);
    const own = windows.find(
      ({ strike, fromMs, untilMs }) =>
        strike.node === node && write.returnMs >= fromMs && write.callMs <= untilMs,
    );
    if (own !== undefined) return judgeCopies(write, own.strike, strikes, topology);
    const demotion = demotions.find(
      (one) => one.node === node && Math.abs(one.atMs - write.returnMs) < heldMs + tailMs,
    );
    if (demotion !== undefined && demotion.lagMs > starvedMs && (write.copies ?? 0) === 0)
      return `a failover on a machine that was ${Math.round(demotion.lagMs)} ms late`;
    return undefined;
  };
}

/** A write that every beta had outlives one node; where two of its shard were hit there is no promise. */
function judgeCopies(
  write: Write,
  strike: Strike,
  strikes: readonly Strike[],
  topology: Topology,
): string | undefined {
  const betas = topology === "cluster" ? 1 : 2;
  if ((write.copies ?? 0) < betas) return `${strike.kind} of its alpha`;
  const hit = strikes.filter(
    (one) =>
      one.shard === strike.shard &&
      lossOf[one.kind] !== "none" &&
      one.startedMs <= strike.endedMs + demotedWithinMs &&
      one.endedMs >= strike.startedMs - demotedWithinMs,
  );
  const nodes = new Set(hit.map(({ node }) => node));
  return nodes.size > 1
    ? `${strike.kind} of its alpha, and another node of the shard was hit`
    : undefined;
}

const lossOf: Readonly<Record<FaultKind, "none" | "tail" | "cut off" | "frozen">> = {
  drain: "none",
  roll: "none",
  dns: "none",
  kill: "tail",
  terminate: "tail",
  replace: "tail",
  move: "tail",
  "all-down": "tail",
  "boot-kill": "tail",
  "out-of-memory": "tail",
  "disk-full": "frozen",
  cut: "cut off",
  "cut-one-way": "cut off",
  slow: "frozen",
  pause: "frozen",
};
