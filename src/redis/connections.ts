/**
 * One connection to each server that is asked, kept open from question to question.
 */
import { type Address, formatAddress } from "../address.ts";
import { codeOf, messageOf } from "../errors.ts";
import { type Connection, type ConnectOptions, connect, DeniedError } from "./connection.ts";
import type { Command, Reply } from "./resp.ts";

export interface Connections {
  /** Connects where there is no connection yet. @throws DeniedError, or a system error. */
  ask(address: Address, questions: readonly Command[]): Promise<readonly Reply[]>;
  /** The connection over which the server at this address answered last. */
  to(address: Address): Connection | undefined;
  close(): void;
}

export function openConnections(options: ConnectOptions): Connections {
  const open = new Map<string, Connection>();
  return {
    async ask(address, questions) {
      const key = formatAddress(address);
      try {
        let connection = open.get(key);
        if (!connection?.open) {
          connection = await connect(address, options);
          open.set(key, connection);
        }
        return await connection.send(questions);
      } catch (thrown) {
        open.get(key)?.close();
        open.delete(key);
        throw thrown;
      }
    },
    to: (address) => open.get(formatAddress(address)),
    close() {
      for (const connection of open.values()) connection.close();
      open.clear();
    },
  };
}

export type Failure =
  | { readonly state: "denied"; readonly why: string }
  | { readonly state: "silent"; readonly refused: boolean; readonly why: string };

/** Why a server did not answer, in words. */
export function readFailure(thrown: unknown, usesTls: boolean): Failure {
  if (thrown instanceof DeniedError) return { state: "denied", why: messageOf(thrown) };
  const code = codeOf(thrown);
  if (code === "ECONNREFUSED")
    return { state: "silent", refused: true, why: "nothing listens there yet" };
  // A server ends a connection of the wrong kind without a word.
  const hint = usesTls ? "does it serve TLS?" : "does it ask for TLS?";
  const why = code === "ECONNRESET" ? `it closed the connection; ${hint}` : messageOf(thrown);
  return { state: "silent", refused: false, why };
}
