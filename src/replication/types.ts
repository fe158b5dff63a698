/**
 * The words that observing, planning and acting share, for one alpha and its betas under Sentinel.
 */
import type { Address } from "../address.ts";
import type { PodFacts } from "../discovery/discovery.ts";

/** What a data folder holds, as far as it tells whose data is newest. */
export interface DiskFacts {
  /** `aof`: an append-only file that the server will load, thus every acknowledged write. */
  readonly kind: "none" | "rdb" | "aof";
  /** When the newest data file was written to last, in milliseconds since 1970; 0 without data. */
  readonly writtenAtMs: number;
  /** Its last configuration was an alpha's: Sentinel has the server write each change of role there. */
  readonly wasAlpha: boolean;
}

/** A server that runs. */
export interface RunningServer {
  readonly state: "server";
  /** Another one in each life of the process. */
  readonly runId: string;
  readonly role: "alpha" | "beta";
  /** Bytes of the replication stream that this node has processed. */
  readonly offset: number;
  readonly keys: number;
  /** Which history its data is of: another one in each life as an alpha. */
  readonly history: string;
  /** The first byte of that history's stream that it still holds for betas that were away; 0 where it holds none. */
  readonly backlogFrom: number;
  /** The alpha that it was a beta of before, by its history, and where that one ended here: the first byte that it does not have. */
  readonly formerHistory: { readonly id: string; readonly endsAt: number };
  /** The betas that are connected to it, where they announce themselves to be. */
  readonly betas: readonly HostPort[];
  /** Beta: host and port of its alpha. */
  readonly alphaAt: HostPort | undefined;
  /** Beta: its link to the alpha is up, and no full sync is under way. */
  readonly inSync: boolean;
}

/** Rekindle itself, before it becomes the server: it answers for the disk that it has. */
export interface WaitingEntrypoint {
  readonly state: "waiting";
  readonly hostname: string;
  readonly disk: DiskFacts;
  /** It has found itself to be the one with the newest data, and is about to become the alpha. */
  readonly claims: boolean;
}

/** Nobody answered, for the reason given. */
export interface Silence {
  readonly state: "silent";
  readonly why: string;
  /** A server is there, and reads its data from the disk: it will answer, however long that takes. */
  readonly isLoading?: boolean;
}

/** Somebody answered and does not let us in. Waiting does not mend it; a person does. */
export interface Denial {
  readonly state: "denied";
  readonly why: string;
}

export type PeerAnswer = RunningServer | WaitingEntrypoint | Silence | Denial;

export interface PeerView {
  readonly name: string;
  readonly address: Address | undefined;
  /** The name by which Sentinels and nodes know it; undefined where that is its address, or not known. */
  readonly announcedAs?: string | undefined;
  /** Undefined elsewhere than on Kubernetes. */
  readonly pod?: PodFacts | undefined;
  readonly seen: PeerAnswer;
}

/** A peer whose server runs. */
export interface ServerPeer {
  readonly name: string;
  readonly address: Address;
  readonly announcedAs?: string | undefined;
  readonly pod?: PodFacts | undefined;
  readonly seen: RunningServer;
}

export const isServer = (peer: PeerView): peer is ServerPeer => peer.seen.state === "server";

export interface HostPort {
  /** An address, or a name where Sentinel was told to use names. */
  readonly host: string;
  readonly port: number;
}

export interface Opinion {
  readonly state: "knows";
  readonly alpha: HostPort;
  /** The beta that it has just made the alpha, and has yet to tell the others of. */
  readonly promoted: HostPort | undefined;
  /** Configuration epoch: of two opinions the one with the higher is newer. */
  readonly epoch: number;
  /** `s_down`, `o_down`, `failover_in_progress`, … */
  readonly flags: readonly string[];
  /** It heard from the alpha less than half of down-after ago: it is not about to call it down. */
  readonly isContent: boolean;
  /** Since it last asked the alpha for its betas, in milliseconds. */
  readonly sinceInfoMs: number;
  /** The betas and the other Sentinels that it knows of, those that are gone too. */
  readonly betas: readonly Acquaintance[];
  readonly others: readonly Acquaintance[];
}

/** Whom a Sentinel knows; it never forgets anybody by itself. */
export interface Acquaintance extends HostPort {
  /** A server's run id, a Sentinel's own id. */
  readonly id?: string;
  /** It has not heard from there for as long as it waits. */
  readonly isDown: boolean;
}

/** What one Sentinel says of the alpha. */
export interface SentinelView {
  readonly name: string;
  readonly address: Address | undefined;
  /** Undefined before 6.2. */
  readonly id?: string | undefined;
  readonly seen: Opinion | { readonly state: "knows-nothing" } | Silence | Denial;
}

/** This node, not yet a server. */
export interface Self {
  readonly name: string;
  readonly hostname: string;
  readonly address: Address;
  readonly announcedAs: string | undefined;
  readonly disk: DiskFacts;
  /** Told to the others since before they were asked last. */
  readonly claims: boolean;
  /** A snapshot is ready, and not put into place yet. */
  readonly isRestored?: boolean;
}

export interface Policy {
  /** How many nodes there are, the alpha included. */
  readonly nodes: number;
  readonly peerWaitMs: number;
}

/** Everything that a decision rests on. */
export interface Observation {
  readonly policy: Policy;
  readonly self: Self;
  /** Sorted by name; never this node itself. */
  readonly peers: readonly PeerView[];
  readonly sentinels: readonly SentinelView[];
  /** Since anything that was seen last changed, in milliseconds. */
  readonly unchangedMs: number;
  /** Peers that told of their disks before they started, by name. */
  readonly toldDisks?: ReadonlyMap<string, DiskFacts>;
  /** Whether there is a snapshot to restore; undefined where none is to be looked for. */
  readonly snapshot?: "unknown" | "none" | "found" | undefined;
}

export type Step =
  /** Has a Sentinel elect another alpha, as if the present one were gone. */
  | { readonly kind: "fail-over"; readonly at: SentinelView }
  /** Makes a beta an alpha, where no Sentinel is there to do it. */
  | { readonly kind: "promote"; readonly at: ServerPeer }
  /** Has a running beta copy this node. */
  | { readonly kind: "follow"; readonly at: ServerPeer; readonly alpha: HostPort };

export type Report = "Founded" | "Restored" | "Returned" | "Joined" | "Promoted";

/**
 * The betas that have newer data than this node, which the Sentinels name as the alpha: they are to hear of them from it, and to take
 * it for down until they have promoted one.
 */
export interface Abdication {
  readonly abdicatesTo?: readonly HostPort[];
}

export type Plan =
  | ({ readonly kind: "wait"; readonly reason: string } & Abdication)
  | ({
      readonly kind: "act";
      readonly reason: string;
      readonly steps: readonly Step[];
      readonly report?: Report;
    } & Abdication)
  /** Tell the others that this node is about to become the alpha, and look again. */
  | { readonly kind: "claim"; readonly reason: string }
  | { readonly kind: "yield"; readonly reason: string }
  | {
      readonly kind: "become";
      readonly reason: string;
      /** Undefined: this node is the alpha. */
      readonly alpha: ServerPeer | undefined;
      readonly steps: readonly Step[];
      readonly report: Report;
    }
  /** See whether the store has a snapshot, and look again. */
  | { readonly kind: "find-snapshot"; readonly reason: string }
  /** Make it ready, which may take long, and look again. */
  | { readonly kind: "restore"; readonly reason: string }
  | {
      readonly kind: "refuse";
      readonly reason: string;
      readonly hint: string;
      readonly exit: "refused" | "configuration";
    };
