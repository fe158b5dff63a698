/** What the harness does to a set, as data. */

export type Topology = "cluster" | "sentinel";

export const faultKinds = [
  "kill",
  "terminate",
  "drain",
  "roll",
  "pause",
  "replace",
  "move",
  "all-down",
  "cut",
  "cut-one-way",
  "slow",
  "dns",
  "disk-full",
  "out-of-memory",
  "boot-kill",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Who is hit: a shard, counted by its first slot, and the role there; who has it is seen when it happens. */
export interface Target {
  readonly role: "alpha" | "beta" | "sentinel";
  /** Under Sentinel there is one set: then which of the betas, or of the Sentinels. */
  readonly shard: number;
}

export interface Fault {
  readonly kind: FaultKind;
  readonly target: Target;
  /** Since the episode began. */
  readonly afterMs: number;
  /** How long it lasts: a server is down, paused, cut off. */
  readonly forMs: number;
  /** Of `cut` and `cut-one-way`: from whom. Clients reach it all the same, but with `all`. */
  readonly from?: "peers" | "shard" | "half" | "all";
  /** Of `cut-one-way`: it is not heard, or hears nothing. */
  readonly deaf?: boolean;
  /** Of `all-down`: each comes back at another address. */
  readonly moves?: boolean;
  /** Of `all-down`: when each comes back, in milliseconds after the end. Of `boot-kill`: when the entrypoint is killed, in milliseconds after its start. */
  readonly delaysMs?: readonly number[];
  /** Of `slow`: packets that are dropped, in percent. */
  readonly lossPercent?: number;
  /** Of `dns`: the addresses from before, or no answer. */
  readonly answer?: "stale" | "nothing";
}

/** Faults that overlap; before and after them the set is whole. */
export interface Episode {
  readonly name: string;
  readonly faults: readonly Fault[];
}

export interface Schedule {
  readonly seed: number;
  readonly topology: Topology;
  /** Whether nodes keep an append-only file, or have their data in memory only. */
  readonly persists: boolean;
  readonly episodes: readonly Episode[];
}

/** A fault that was carried out on a node. */
export interface Strike {
  readonly episode: number;
  readonly kind: FaultKind;
  readonly node: string;
  readonly role: "alpha" | "beta" | "sentinel" | "unknown";
  /** Counted by the first slot; undefined for a Sentinel. */
  readonly shard: number | undefined;
  readonly startedMs: number;
  endedMs: number;
  /** What shows that it happened; undefined until something does. */
  observed: string | undefined;
}

/** In words, for the log and the report. */
export function describeFault({ kind, target, forMs, from, answer, moves, deaf }: Fault): string {
  const whom =
    kind === "all-down" || kind === "roll" || kind === "dns"
      ? ""
      : ` ${target.role} ${target.shard}`;
  const more = [
    from && `from ${from}`,
    deaf !== undefined && (deaf ? "hears nothing" : "is not heard"),
    answer,
    moves && "new addresses",
    forMs > 0 && `${(forMs / 1_000).toFixed(1)} s`,
  ].filter(Boolean);
  return `${kind}${whom}${more.length > 0 ? ` (${more.join(", ")})` : ""}`;
}
