/**
 * What a content of the files means, asked once of a server that tries it out.
 */
import type { Credentials } from "../redis/connection.ts";
import { readTlsAt } from "../redis/secrets.ts";
import type { Server } from "../redis/server.ts";
import { findLasting } from "./apply.ts";
import type { Difference } from "./compare.ts";
import { digest, type Facts } from "./facts.ts";
import { tlsFiles } from "./names.ts";
import type { OwnConfiguration } from "./own-configuration.ts";
import { type TryOut, tryOut } from "./try-out.ts";

export interface Verdict {
  /** What the node's server would say of itself. */
  readonly wanted: Facts;
  /** Of the server that tried it out. */
  readonly version: string;
  /** Why which of these cannot be changed while a server runs. */
  findLasting(settings: readonly Difference[]): Promise<ReadonlyMap<string, string>>;
  /** Ends the server that tries it out, where one is left. */
  end(): void;
}

export type Judge = (
  fingerprint: string,
  own: OwnConfiguration,
  credentials: Credentials,
) => Promise<Verdict>;

interface Known {
  readonly fingerprint: string;
  readonly wanted: Facts;
  readonly version: string;
  /** Undefined: it can be changed. */
  readonly lasting: Map<string, string | undefined>;
}

/** For a server that starts in a pod of a tenth of a core. */
const trialDeadlineMs = 15_000;

/** It remembers the last content that it has judged. */
export function openJudge({ dir, server }: { dir: string; server: Server }): Judge {
  let last: Known | undefined;
  return async (fingerprint, own, credentials) => {
    let trial: TryOut | undefined;
    const start = async (): Promise<TryOut> => {
      trial ??= await tryOut({ dir, own, credentials, server, deadlineMs: trialDeadlineMs });
      return trial;
    };
    if (last?.fingerprint !== fingerprint) {
      const { facts, version } = await start();
      const wanted = new Map([...facts, ...readTlsFacts(own)]);
      last = { fingerprint, wanted, version, lasting: new Map() };
    }
    const { wanted, version, lasting } = last;
    return {
      wanted,
      version,
      async findLasting(settings) {
        const unknown = new Map(
          settings.flatMap(({ name, wanted: value }) =>
            value === undefined || lasting.has(name) ? [] : [[name, value] as const],
          ),
        );
        if (unknown.size > 0) {
          const found = await findLasting((await start()).connection, unknown);
          for (const name of unknown.keys()) lasting.set(name, found.get(name));
        }
        return new Map(
          [...lasting].filter((pair): pair is [string, string] => pair[1] !== undefined),
        );
      },
      end: () => trial?.end(),
    };
  };
}

/** The contents of the TLS files, where there are any: the server does not tell them. */
export function readTlsFacts({ tls }: OwnConfiguration): readonly (readonly [string, string])[] {
  if (tls === undefined) return [];
  const { cert, key, ca } = readTlsAt(tls);
  return [[tlsFiles, digest([cert, key, ca].map(digest).join(" "))]];
}
