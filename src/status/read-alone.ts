/**
 * Asks one server that is alone.
 */
import type { Address } from "../address.ts";
import type { Peer } from "../discovery/discovery.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { openConnections, readFailure } from "../redis/connections.ts";
import { parseInfo } from "../redis/info.ts";

export interface PeerSight {
  readonly name: string;
  readonly address: Address | undefined;
  /** Undefined where it does not answer. */
  readonly info: ReadonlyMap<string, string> | undefined;
  readonly why: string;
  /** `save`: when it writes snapshots; empty for never. */
  readonly savePoints: string;
}

export function createAloneReader(options: ConnectOptions): {
  look(known: readonly Peer[]): Promise<PeerSight>;
  close(): void;
} {
  const connections = openConnections(options);
  return {
    async look([peer]) {
      const { name, address } = peer ?? { name: "the server", address: undefined };
      const silent = { name, address, info: undefined, savePoints: "" };
      if (address === undefined) return { ...silent, why: "its address is not known" };
      try {
        const questions = [["INFO"], ["CONFIG", "GET", "save"]];
        const [info, save] = await connections.ask(address, questions);
        const savePoints = Array.isArray(save) ? String(save[1]) : "";
        return { name, address, info: parseInfo(String(info)), why: "", savePoints };
      } catch (thrown) {
        return { ...silent, why: readFailure(thrown, options.tls !== undefined).why };
      }
    },
    close: connections.close,
  };
}
