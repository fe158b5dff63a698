/**
 * Where servers run: what containers and processes have in common.
 *
 * A ground knows nothing of clusters and Sentinels. It runs servers, breaks them when it is told to, and takes all
 * of them away in
 * the end.
 */
import type { Address } from "../address.ts";

/** A host and a port, as every client takes them. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A server that is to be started in an empty folder. */
export interface ServerSpec {
  /** For messages. */
  readonly name: string;
  readonly isSentinel: boolean;
  /** The text of its redis.conf (or sentinel.conf), but for the port and where it listens. */
  readonly config: string;
  /** Lines that only Redis 7.0 or later understands; left out for an older one. */
  readonly configSince7: string;
  /** The nodes.conf of a cluster node. */
  readonly table?: string;
}

/** What can be done to a server, and taken back. */
export interface Mendable {
  /** Kills it at once (kill -9), as when its machine loses power; its disk stays. */
  kill(): Promise<void>;
  /** After `kill()`: starts it again, with its disk. */
  start(): Promise<void>;
  /** Holds it where it is: connections stay, and nobody gets an answer. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Takes its network away: neither the others nor your clients reach it. Containers only. */
  cutOff(): Promise<void>;
  /** After `cutOff()`. */
  reconnect(): Promise<void>;
}

/** One that was started. Each of these ends at a deadline of the engine's or the system's own. */
export interface Server extends Mendable {
  /** Where the others reach it, since its last start. */
  readonly inner: Address;
  /** Where this machine reaches it. */
  readonly outer: HostPort;
  /** With its disk. */
  remove(): Promise<void>;
  /** Why it runs no more, in its own words; undefined while it does. */
  lastWords(): Promise<string | undefined>;
}

export interface Ground {
  /** The name by which this machine reaches every server, where that is not the one by which they reach each other. */
  readonly announcedHost: string | undefined;
  create(spec: ServerSpec): Promise<Server>;
  /** Kills all, then starts all, at new addresses or at the same. */
  restartAll(servers: readonly Server[], newAddresses: boolean): Promise<void>;
  /** Takes away whatever was started. */
  end(): Promise<void>;
}
