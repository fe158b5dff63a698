/**
 * What the other nodes of the set have of the new configuration already.
 */
import type { Address } from "../address.ts";
import { codeOf, messageOf } from "../errors.ts";
import {
  type Connection,
  type Credentials,
  connect,
  DeniedError,
  isNetworkCode,
  type TlsFiles,
} from "../redis/connection.ts";
import { type Facts, readFacts } from "./facts.ts";

export interface NodeSeen {
  readonly name: string;
  /** Why it does not answer; undefined: it does. */
  readonly silent: string | undefined;
  /** Somebody is there, and does not let us in. */
  readonly isClosed: boolean;
  readonly facts: Facts;
}

export interface Access {
  /** Tried in this order: while a password changes, some take the new one and some the old one. */
  readonly candidates: readonly Credentials[];
  readonly tls: TlsFiles | undefined;
  readonly deadlineMs: number;
}

/** @throws DeniedError where none of the credentials is taken, or a system error. */
export async function enter(
  address: Address,
  { candidates, tls, deadlineMs }: Access,
): Promise<Connection> {
  let denied: unknown;
  for (const credentials of candidates) {
    try {
      return await connect(address, { credentials, tls, deadlineMs });
    } catch (thrown) {
      if (!(thrown instanceof DeniedError)) throw thrown;
      denied = thrown;
    }
  }
  throw denied;
}

export const askNodes = <
  T extends { readonly name: string; readonly address: Address | undefined },
>(
  nodes: readonly T[],
  access: Access,
): Promise<readonly (T & NodeSeen)[]> =>
  Promise.all(
    nodes.map(async (node) => {
      try {
        const facts = await askNode(node.address, access);
        return { ...node, silent: undefined, isClosed: false, facts };
      } catch (thrown) {
        const isClosed = node.address !== undefined && !isNetworkCode(codeOf(thrown));
        return { ...node, silent: messageOf(thrown), isClosed, facts: new Map() };
      }
    }),
  );

async function askNode(address: Address | undefined, access: Access): Promise<Facts> {
  if (address === undefined) throw new Error("it has no address yet");
  const connection = await enter(address, access);
  try {
    return await readFacts(connection);
  } finally {
    connection.close();
  }
}
