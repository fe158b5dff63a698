/**
 * The sentinel.conf that a Sentinel starts with: its settings anew at every start, and what is still true of what it remembered.
 */
import { renderTls, type ServerOptions } from "../redis/configuration.ts";
import type { Credentials } from "../redis/connection.ts";
import { quoteArgument } from "../redis/user-configuration.ts";
import type { SentinelState } from "./state.ts";

export interface SentinelOptions {
  readonly set: string;
  readonly state: SentinelState;
  /** 40 hexadecimal digits. */
  readonly id: string;
  readonly quorum: number;
  readonly dir: string;
  readonly ip: string;
  /** A name for the others to know it by; undefined: its address. */
  readonly announcedAs: string | undefined;
  /** It can resolve names, its nodes' or its own. */
  readonly hasHostnames: boolean;
  readonly port: number;
  readonly downAfterMs: number;
  readonly failoverTimeoutMs: number;
  /** What Sentinel runs when something has happened. */
  readonly eventScript: string;
  readonly credentials: Credentials;
  readonly tls: ServerOptions["tls"];
}

/** @returns the text of the file. It may hold the password: write it for its owner only. */
export function renderSentinelConfiguration(options: SentinelOptions): string {
  const { set, state, id, quorum, ip, port, announcedAs, tls } = options;
  const { alpha, betas, sentinels, currentEpoch, configEpoch, leaderEpoch } = state;
  return `${[
    "# Written by Rekindle at every start, and by Sentinel itself in between; changes made here are lost.",
    `port ${tls ? 0 : port}`,
    // Where it announces one of these, nobody else could reach it; nor should they.
    ...(ip === "::1" || ip.startsWith("127.") ? [`bind ${ip}`] : []),
    // Its links to the nodes and to the other Sentinels are TLS by `tls-replication`.
    ...renderTls(tls, port).map(([name, value]) => `${name} ${value}`),
    `dir ${quoteArgument(options.dir)}`,
    "daemonize no",
    // The others are on other hosts; without a password protected mode would shut them out.
    "protected-mode no",
    `sentinel myid ${id}`,
    // Before any line that may hold a name. Nodes may announce theirs whatever this one does.
    ...(options.hasHostnames ? ["sentinel resolve-hostnames yes"] : []),
    ...(announcedAs === undefined ? [] : ["sentinel announce-hostnames yes"]),
    `sentinel announce-ip ${quoteArgument(announcedAs ?? ip)}`,
    `sentinel announce-port ${port}`,
    ...(options.credentials.password
      ? [`requirepass ${quoteArgument(options.credentials.password)}`]
      : []),
    `sentinel monitor ${set} ${alpha.host} ${alpha.port} ${quorum}`,
    ...credentialLines(set, options.credentials),
    `sentinel client-reconfig-script ${set} ${quoteArgument(options.eventScript)}`,
    `sentinel notification-script ${set} ${quoteArgument(options.eventScript)}`,
    `sentinel down-after-milliseconds ${set} ${options.downAfterMs}`,
    `sentinel failover-timeout ${set} ${options.failoverTimeoutMs}`,
    `sentinel parallel-syncs ${set} 1`,
    `sentinel config-epoch ${set} ${configEpoch}`,
    `sentinel leader-epoch ${set} ${leaderEpoch}`,
    ...betas.map(({ host, port: at }) => `sentinel known-replica ${set} ${host} ${at}`),
    ...sentinels.map(
      ({ host, port: at, id: other }) => `sentinel known-sentinel ${set} ${host} ${at} ${other}`,
    ),
    `sentinel current-epoch ${currentEpoch}`,
  ].join("\n")}\n`;
}

/** For the nodes. The other Sentinels ask for the same password as this one does (`sendAuthIfNeeded`). */
function credentialLines(set: string, { user, password }: Credentials): readonly string[] {
  if (password === undefined) return [];
  return [
    ...(user === undefined ? [] : [`sentinel auth-user ${set} ${quoteArgument(user)}`]),
    `sentinel auth-pass ${set} ${quoteArgument(password)}`,
  ];
}
