/**
 * Who are my peers? What every kind of discovery answers.
 */
import { networkInterfaces } from "node:os";
import type { Address } from "../address.ts";

/** What Kubernetes knows of the pod that a node runs in. */
export interface PodFacts {
  /** The machine; undefined until the pod is scheduled. */
  readonly kubernetesNode: string | undefined;
  /** The hash of its template: tells the pods of a rolling update from those that they replace. */
  readonly template: string;
  /** No pod of another template is younger than the youngest of this one. */
  readonly isOfNewestTemplate: boolean;
  /** Kubernetes says that it will not run soon: it fits nowhere, its image is missing, or it crashes again and again. */
  readonly isTroubled: boolean;
  /** It gets the volumes back that it had: a StatefulSet's pod. */
  readonly mayHoldData: boolean;
  /** Deleted, and ending: it serves for a while yet and will not come back under this name with this memory. */
  readonly isLeaving: boolean;
  /** The container of its server, where it has had one. */
  readonly server?: { readonly isReady: boolean; readonly restarts: number } | undefined;
}

/** A peer that discovery names, with its address or with the reason why it has none yet. */
export type Peer = { readonly name: string; readonly pod?: PodFacts | undefined } & (
  | { readonly address: Address }
  | { readonly address: undefined; readonly waitingFor: string }
);

export interface Peers {
  /** The own entry; `undefined` while discovery does not name this node yet, for the reason given. */
  readonly self:
    | { readonly name: string; readonly address: Address; readonly pod?: PodFacts | undefined }
    | undefined;
  readonly selfWaitingFor?: string;
  /** Everybody else, sorted by name. */
  readonly others: readonly Peer[];
}

/** Whether somebody of this name is among them, this node included. */
export function isAmong({ self, others }: Peers): (name: string) => boolean {
  const names = new Set([self, ...others].map((one) => one?.name));
  return (name) => names.has(name);
}

export interface Discovery {
  /** Whom it does not name is gone. A name or a list says nothing of a node that is only cut off. */
  readonly knowsWhoIsGone?: boolean;
  /** @throws RekindleError where only a person can mend it. */
  find(): Promise<Peers>;
}

/** The addresses of this machine's interfaces, loopback included. */
export function ownAddresses(): ReadonlySet<string> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return new Set(addresses.map((one) => one.address));
}

/** This machine's address, where it has one only that others can reach. */
export function soleOwnAddress(): string | undefined {
  const all = [...ownAddresses()].filter((ip) => !/^(127\.|::1$|fe80:)/i.test(ip));
  return all.length === 1 ? all[0] : undefined;
}
