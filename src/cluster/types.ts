/**
 * The words that observing, planning and acting share.
 */
import type { Address } from "../address.ts";
import type { PodFacts } from "../discovery/discovery.ts";
import type { NodeEntry, NodeTable, SlotRange } from "./nodes.ts";

/** What a peer that answered says of itself and of the others. */
export interface Answer {
  readonly state: "answered";
  readonly id: string;
  readonly table: NodeTable;
  readonly clusterOk: boolean;
  readonly keys: number;
  readonly role: "alpha" | "beta";
  /** Bytes of the replication stream that this node has processed. */
  readonly offset: number;
  /** Beta: the link to its alpha is up and no full sync is under way. */
  readonly inSync: boolean;
  readonly syncing: boolean;
  /** Beta: this process was linked to its alpha, so its memory is as new as the alpha's was; not just its own disk's. */
  readonly hasFollowed: boolean;
  /** Beta: it tries to copy an address that is nobody's, though it may know by now where its alpha is. */
  readonly followsNobody?: boolean;
  readonly uptimeSeconds: number;
  /** Undefined where our user may not ask. */
  readonly nodeTimeoutMs: number | undefined;
}

/** Nobody answered, for the reason given. `refused` says that the host is there and nothing listens yet. */
export interface Silence {
  readonly state: "silent";
  readonly refused: boolean;
  readonly why: string;
  /** Rekindle itself is there, where a snapshot may have to be restored. */
  readonly entrypoint?: Entrypoint;
}

/** What Rekindle says of itself before it becomes the server. */
export interface Entrypoint {
  /** Its data folder is empty, and it belongs to no cluster. */
  readonly isBlank: boolean;
  /** What it has restored, or is restoring. */
  readonly restores: readonly SlotRange[] | undefined;
}

/** Somebody answered and does not let us in, or is no cluster node. Waiting does not mend it; a person does. */
export interface Denial {
  readonly state: "denied";
  readonly why: string;
}

export type PeerAnswer = Answer | Silence | Denial;

/** A peer with what it answered, or without an address. */
export interface PeerView {
  readonly name: string;
  readonly address: Address | undefined;
  readonly seen: PeerAnswer;
  /** Undefined elsewhere than on Kubernetes. */
  readonly pod?: PodFacts | undefined;
}

/** A peer that answered: address and answer are there. */
export interface Member {
  readonly name: string;
  readonly address: Address;
  readonly seen: Answer;
  readonly pod?: PodFacts | undefined;
}

/**
 * What the own data folder holds. `aof`: an append-only file that the configuration will load, thus every acknowledged
 * write.
 */
export type DiskData = "none" | "rdb" | "aof";

/** This node, not yet a server. */
export interface Self {
  readonly name: string;
  readonly address: Address;
  /** The nodes.conf of an earlier life, with a `myself` line. */
  readonly table: NodeTable | undefined;
  readonly data: DiskData;
  /** A snapshot lies there that the server would ignore, because it is to load an append-only file and there is none. */
  readonly unreadSnapshot: boolean;
  readonly pod?: PodFacts | undefined;
  /** Restored from a snapshot and not put into place yet. */
  readonly restored?: readonly SlotRange[] | undefined;
}

export interface Policy {
  readonly nodes: number;
  readonly replicas: number;
  readonly nodeTimeoutMs: number;
  readonly peerWaitMs: number;
  readonly onLostSlots: "wait" | "empty" | "restore";
}

/** Everything that a decision rests on. Immutable, and all of it is in the log. */
export interface Observation {
  readonly policy: Policy;
  /** Undefined where the planner looks from outside: founding running nodes. */
  readonly self: Self | undefined;
  /** Sorted by name; never this node itself. */
  readonly peers: readonly PeerView[];
  /** Since anything that was seen last changed: as long as something moves, nobody gives up waiting. */
  readonly unchangedMs: number;
  /** When a cluster was founded here before, as a mark outside of the nodes says; undefined where none is known. */
  readonly foundedAt?: string | undefined;
  /** Whether there is a snapshot to restore; undefined where none is to be looked for. */
  readonly snapshot?: "unknown" | "none" | "found" | undefined;
}

/** One Redis command, or a few that belong together, to one running node. Each may be repeated without harm. */
export type Step =
  | { readonly kind: "claim"; readonly at: Member; readonly epoch: number }
  | { readonly kind: "add-slots"; readonly at: Member; readonly slots: readonly SlotRange[] }
  | {
      readonly kind: "meet";
      readonly at: Member;
      readonly whom: Member | { readonly address: Address; readonly seen?: undefined };
    }
  | { readonly kind: "replicate"; readonly at: Member; readonly alphaId: string }
  | {
      readonly kind: "promote";
      readonly at: Member;
      readonly how: "in order" | "force" | "takeover";
    }
  | { readonly kind: "forget"; readonly at: Member; readonly id: string }
  | { readonly kind: "node-timeout"; readonly at: Member; readonly ms: number };

/** What an operator wants to read beside the node, not only in its log: an Event on its pod, where there is one. */
export type Report =
  | "Joined"
  | "Returned"
  | "StartedBlank"
  | "Restored"
  | "DataLost"
  | "HandingOver"
  | "Promoted"
  | "Forgot";

export type Plan =
  /** Look again; nothing can be done yet. */
  | { readonly kind: "wait"; readonly reason: string }
  /** Carry the steps out, then look again. */
  | {
      readonly kind: "act";
      readonly reason: string;
      readonly steps: readonly Step[];
      /** Only one node at a time may do this: it takes the lock first, where there is one, and looks again (rule 5). */
      readonly isExclusive?: boolean;
      readonly report?: Report;
    }
  /** Carry the steps out, write the table (or leave a blank node to make its own), and become the server. */
  | {
      readonly kind: "become";
      readonly reason: string;
      readonly steps: readonly Step[];
      readonly table: NodeTable | undefined;
      readonly report: Report;
      /** What was restored becomes the data; else it is taken away. */
      readonly isRestored?: boolean;
    }
  /** See whether the store has a snapshot, and look again. */
  | { readonly kind: "find-snapshot"; readonly reason: string }
  /** Make these slots ready, which may take long, and look again. */
  | { readonly kind: "restore"; readonly reason: string; readonly slots: readonly SlotRange[] }
  /** The nodes.conf is of no use: set it aside under another name, and look again as a blank node. */
  | { readonly kind: "set-aside"; readonly reason: string }
  /** Outside view only: nothing is left to do. */
  | { readonly kind: "done"; readonly reason: string }
  /** Stop, and let a person decide. */
  | {
      readonly kind: "refuse";
      readonly reason: string;
      readonly hint: string;
      readonly exit: "refused" | "configuration";
    };

export type Act = Extract<Plan, { kind: "act" }>;

export type { NodeEntry, NodeTable };
