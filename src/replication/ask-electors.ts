/**
 * The Sentinels, as a hand-over needs them: who of them would have a majority, and how far their failover is.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Address, formatEndpoint } from "../address.ts";
import type { Peer } from "../discovery/discovery.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { openConnections } from "../redis/connections.ts";
import { ReplyError } from "../redis/resp.ts";
import { firstReply } from "./hold-writes.ts";
import { readSentinel } from "./observe.ts";
import { forSentinels } from "./sentinels.ts";
import type { HostPort } from "./types.ts";

export interface ElectorsOptions {
  readonly set: string;
  /** Undefined: one beside each node, at `sentinelPort`. */
  readonly sentinels: readonly Peer[] | undefined;
  readonly sentinelPort: number;
  readonly connect: ConnectOptions;
}

export interface Beta {
  /** As it announces itself. */
  readonly at: HostPort;
  readonly address: Address;
}

export interface Elector {
  readonly at: Address;
  /**
   * `electing`: it is about to replace the alpha by itself. `coordinating`: and the alpha takes part in it. `finishing`: it has,
   * and has yet to tell everybody.
   */
  readonly is: "idle" | "electing" | "coordinating" | "finishing";
}

export interface Electors {
  /** Of those that would have a majority for it one that is at it already, or any. */
  find(nodes: readonly Address[]): Promise<Elector | undefined>;
  /** @returns why the Sentinel refuses. Where no answer comes, it may be at it: who is promoted tells. */
  failOver(sentinel: Address): Promise<string | undefined>;
  /** @returns false where it does not, or knows no such thing. */
  coordinate(sentinel: Address, betas: readonly Beta[]): Promise<boolean>;
  isElecting(sentinel: Address): Promise<boolean>;
  /**
   * Until all of them name the new alpha, and the failover is over: another that begins before would get in its way, and leave a
   * beta that copies the wrong node.
   */
  awaitAgreement(heir: Beta, nodes: readonly Address[], leftMs: () => number): Promise<void>;
  close(): void;
}

const lookAgainMs = 50;

export function openElectors(options: ElectorsOptions): Electors {
  const { set, sentinels, sentinelPort: port } = options;
  const connections = openConnections(forSentinels(options.connect));
  const ask = (at: Address, ...command: readonly string[]) =>
    firstReply(connections, at, ["SENTINEL", ...command]);

  /** Those that would have a majority for another alpha. */
  async function findWilling(nodes: readonly Address[]): Promise<readonly Address[]> {
    const all =
      sentinels?.flatMap(({ address }) => address ?? []) ?? nodes.map((at) => ({ ...at, port }));
    const replies = await Promise.all(all.map((at) => ask(at, "CKQUORUM", set)));
    return all.filter((_, index) => String(replies[index]).startsWith("OK"));
  }

  async function look(at: Address): Promise<Elector & { readonly alpha: HostPort | undefined }> {
    const [master, current] = await Promise.all([
      ask(at, "MASTER", set),
      ask(at, "GET-MASTER-ADDR-BY-NAME", set),
    ]);
    const seen = readSentinel([master, current]);
    if (seen.state !== "knows") return { at, is: "idle", alpha: undefined };
    const [isAtIt, takesPart] = ["failover_in_progress", "coordinated_failover"].map((flag) =>
      seen.flags.includes(flag),
    );
    const busy = seen.promoted ? "finishing" : takesPart ? "coordinating" : "electing";
    return { at, is: isAtIt ? busy : "idle", alpha: seen.alpha };
  }

  /**
   * To be elected at once it must be connected to a majority: it asks each of the others just once, and then waits for ten seconds.
   * And it names the beta as it knows it, which the alpha may not: by address while names take their place.
   */
  async function isFit(sentinel: Address, betas: readonly Beta[]): Promise<boolean> {
    const replies = await Promise.all([
      ask(sentinel, "SENTINELS", set),
      ask(sentinel, "REPLICAS", set),
    ]);
    const [others = [], known = []] = replies.map((reply) =>
      Array.isArray(reply) ? reply.map(String) : [],
    );
    const connected = others.filter((one) => !/disconnected|_down/.test(one)).length;
    const names = new Set(known.map((one) => one.split(",")[1]));
    return (
      connected + 1 > (others.length + 1) / 2 &&
      betas.every(({ at }) => names.has(formatEndpoint(at)))
    );
  }

  async function hasSettledOn({ at, address }: Beta, sentinel: Address): Promise<boolean> {
    const { is, alpha } = await look(sentinel);
    const isHeir = alpha?.port === at.port && [at.host, address.ip].includes(alpha.host);
    return is === "idle" && isHeir;
  }

  return {
    async find(nodes) {
      const all = await Promise.all((await findWilling(nodes)).map(look));
      return all.find(({ is }) => is !== "idle") ?? all[0];
    },
    async failOver(sentinel) {
      const reply = await ask(sentinel, "FAILOVER", set);
      return reply instanceof ReplyError ? `the Sentinel refuses: ${reply.message}` : undefined;
    },
    coordinate: async (sentinel, betas) =>
      (await isFit(sentinel, betas)) &&
      !((await ask(sentinel, "FAILOVER", set, "COORDINATED")) instanceof ReplyError),
    isElecting: async (sentinel) => (await look(sentinel)).is === "electing",
    async awaitAgreement(heir, nodes, leftMs) {
      const willing = await findWilling(nodes);
      while (leftMs() > 0) {
        const settled = await Promise.all(willing.map((one) => hasSettledOn(heir, one)));
        if (settled.every(Boolean)) return;
        await pause(lookAgainMs);
      }
    },
    close: connections.close,
  };
}
