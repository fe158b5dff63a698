/**
 * Who are my peers? What every kind of discovery answers.
 */
import { networkInterfaces } from "node:os";
import type { Address } from "../address.ts";

/** A peer that discovery names, with its address or with the reason why it has none yet. */
export type Peer = { readonly name: string } & (
  | { readonly address: Address }
  | { readonly address: undefined; readonly waitingFor: string }
);

export interface Peers {
  /** The own entry; `undefined` while discovery does not name this node yet, for the reason given. */
  readonly self: { readonly name: string; readonly address: Address } | undefined;
  readonly selfWaitingFor?: string;
  /** Everybody else, sorted by name. */
  readonly others: readonly Peer[];
}

export interface Discovery {
  /** @throws RekindleError where only a person can mend it. */
  find(): Promise<Peers>;
}

/** The addresses of this machine's interfaces, loopback included. */
export function ownAddresses(): ReadonlySet<string> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return new Set(addresses.map((one) => one.address));
}
