/**
 * A server of a set, with what is known of it here: who it is, and what was done to it.
 */
import type { Address } from "../address.ts";
import type { Server } from "./ground.ts";

export interface TestServer {
  readonly name: string;
  readonly isSentinel: boolean;
  /** The id of a cluster node, which was given to it. */
  id: string;
  server: Server;
  /** Whoever is not up was broken on purpose: it stays so until it is mended, and nobody waits for it. */
  state: "up" | "killed" | "paused" | "cut off";
  /** Started in the place of another, with an empty disk, and not one of the others yet. */
  isFresh: boolean;
}

export const isUp = ({ state }: TestServer): boolean => state === "up";

/** As an observer takes it. */
export interface Place {
  readonly name: string;
  readonly address: Address;
}

export const placeOf = ({ name, server: { inner } }: TestServer): Place => ({
  name,
  address: inner,
});
