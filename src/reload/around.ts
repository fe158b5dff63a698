/**
 * What a reload has around its server: the set that must not suffer. The rooms above know how to look at one.
 */
import type { Address } from "../address.ts";
import type { Outcome } from "../cluster/drain.ts";
import type { Holding } from "../cluster/lock.ts";

export interface SetNode {
  readonly name: string;
  readonly address: Address | undefined;
  readonly role: "alpha" | "beta" | undefined;
}

export interface SetSeen {
  readonly self: SetNode & {
    /** On Kubernetes: how often its container was. It tells of a new life before it is ready in that. */
    readonly restarts: number | undefined;
  };
  readonly others: readonly SetNode[];
  /** What is wrong with it, in words; undefined for a whole set. */
  readonly trouble: string | undefined;
  /** Which Sentinel does not take our password, or does not answer; undefined where all do, or there are none. */
  readonly closedSentinel: string | undefined;
  readonly sentinels: readonly { readonly name: string; readonly address: Address | undefined }[];
}

export interface Around {
  look(): Promise<SetSeen>;
  /** The Sentinel that may be beside this node, and under which name it knows the set. */
  readonly sentinel: { readonly set: string; readonly address: Address } | undefined;
  /** Something outside of the nodes says whose turn it is. */
  readonly hasLock: boolean;
  hold(): Promise<Holding>;
  release(): Promise<void>;
  /** Moves the alpha's role away from this node, which stays. */
  drain(): Promise<Outcome>;
}

/** What is counted of it. */
export interface Figures {
  ended(outcome: "applied" | "refused", seconds: number): void;
  state(state: {
    readonly isInvalid: boolean;
    readonly restartsPending: number;
    readonly drifted: number;
  }): void;
}
