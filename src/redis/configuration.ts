/**
 * The configuration that the server starts with: the user's own file first, then what Rekindle must decide.
 */
import { RekindleError } from "../errors.ts";
import type { Credentials } from "./connection.ts";
import { requireHostnames, type Server } from "./server.ts";
import { type Directive, directiveValue, quoteArgument } from "./user-configuration.ts";

export interface ServerOptions {
  readonly userFile: string | undefined;
  readonly directives: readonly Directive[];
  readonly server: Server;
  readonly dir: string;
  readonly ip: string;
  readonly port: number;
  readonly mode: ClusterMode | ReplicationMode | StandaloneMode;
  readonly credentials: Credentials;
  readonly tls:
    | {
        readonly cert: string;
        readonly key: string;
        readonly ca: string;
        readonly clients: "required" | "optional" | "no";
      }
    | undefined;
}

export interface ClusterMode {
  readonly kind: "cluster";
  readonly nodesFile: string;
  readonly busPort: number;
  readonly nodeTimeoutMs: number;
}

export interface ReplicationMode {
  readonly kind: "replication";
  /** Undefined: this node is the alpha. */
  readonly alpha: { readonly host: string; readonly port: number } | undefined;
  /** A name for others to know it by; undefined: its address. */
  readonly announcedAs: string | undefined;
  /** How many betas must follow closely for the alpha to take writes; undefined leaves it to the user's file. */
  readonly minReplicasToWrite: number | undefined;
}

/** One server alone, that nobody has to find. */
export interface StandaloneMode {
  readonly kind: "standalone";
  readonly appendonly: boolean;
}

/**
 * @returns the text of the file. It may hold the password: write it for its owner only.
 * @throws RekindleError naming every directive of the user's file that contradicts ours.
 */
export function renderConfiguration(options: ServerOptions): string {
  return assembleConfiguration({ ...options, owned: ownedDirectives(options) });
}

/** @param options of which `owned` is what Rekindle decides for this node. */
export function assembleConfiguration(
  options: UsersOptions &
    Pick<ServerOptions, "userFile"> & { readonly owned: ReadonlyMap<string, string> },
): string {
  const { userFile, directives, owned } = options;
  refuseContradictions(directives, owned);
  const set = new Set(directives.map((directive) => directive.name));
  const lines = [
    "# Written by Rekindle at every start; changes made here are lost. Change your own redis.conf instead.",
    ...(userFile === undefined ? [] : [`include ${quoteArgument(userFile)}`]),
    ...[...owned].map(([name, value]) => `${name} ${value}`),
    ...Object.entries(unlessSet)
      .filter(([name]) => !set.has(name) && (hasPeers(owned) || name !== protectedMode))
      .map(([name, value]) => `${name} ${value}`),
    ...userLines(options),
  ];
  return `${lines.join("\n")}\n`;
}

const protectedMode = "protected-mode";

/** Defaults of ours that a user's file may change. */
export const unlessSet: Readonly<Record<string, string>> = {
  // A full sync would otherwise wait five seconds for company.
  "repl-diskless-sync-delay": "0",
  // Peers are on other hosts; without a password protected mode would shut them out.
  [protectedMode]: "no",
};

/** @param owned what Rekindle decides for a node. */
export const hasPeers = (owned: ReadonlyMap<string, string>): boolean =>
  owned.has("cluster-enabled") || owned.has("replica-announce-ip");

function ownedDirectives(options: ServerOptions): ReadonlyMap<string, string> {
  const { port, mode, tls, credentials } = options;
  const owned = new Map<string, string>([
    ["port", tls ? "0" : `${port}`],
    ["dir", quoteArgument(options.dir)],
    ["daemonize", "no"],
    ...modeDirectives(options),
    ...renderTls(tls, port),
    ...(tls && mode.kind === "cluster" ? ([["tls-cluster", "yes"]] as const) : []),
  ]);
  const password = credentials.password && quoteArgument(credentials.password);
  if (password !== undefined) {
    owned.set("masterauth", password);
    if (credentials.user === undefined) owned.set("requirepass", password);
    else owned.set("masteruser", quoteArgument(credentials.user));
  }
  return owned;
}

function modeDirectives(options: ServerOptions): readonly (readonly [string, string])[] {
  const { mode } = options;
  switch (mode.kind) {
    case "cluster":
      return clusterDirectives(options, mode);
    case "replication":
      return replicationDirectives(options, mode);
    case "standalone":
      return [["appendonly", mode.appendonly ? "yes" : "no"]];
  }
}

/** None without TLS. */
export function renderTls(
  tls: ServerOptions["tls"],
  port: number,
): readonly (readonly [string, string])[] {
  if (tls === undefined) return [];
  return [
    ["tls-port", `${port}`],
    ["tls-replication", "yes"],
    ["tls-cert-file", quoteArgument(tls.cert)],
    ["tls-key-file", quoteArgument(tls.key)],
    ["tls-ca-cert-file", quoteArgument(tls.ca)],
    ["tls-auth-clients", { required: "yes", optional: "optional", no: "no" }[tls.clients]],
  ];
}

function clusterDirectives(
  { server, port, ip }: ServerOptions,
  { busPort, nodesFile, nodeTimeoutMs }: ClusterMode,
): readonly (readonly [string, string])[] {
  const isElsewhere = busPort !== port + 10_000;
  if (isElsewhere && !server.hasBusPort) {
    throw new RekindleError(
      "configuration",
      `bus port ${busPort} is not port + 10000, and ${server.path} knows no other`,
      {
        hint: `leave --bus-port out, or use Redis 7.0 or later`,
      },
    );
  }
  return [
    ["cluster-enabled", "yes"],
    ["cluster-config-file", nodesFile],
    ["cluster-node-timeout", `${nodeTimeoutMs}`],
    ["cluster-announce-ip", quoteArgument(ip)],
    ...(isElsewhere ? [["cluster-port", `${busPort}`] as const] : []),
  ];
}

/** Sentinel knows each node by what it announces; behind a network's translation the address of a connection is none. */
function replicationDirectives(
  { server, ip, port }: ServerOptions,
  { alpha, announcedAs, minReplicasToWrite }: ReplicationMode,
): readonly (readonly [string, string])[] {
  requireHostnames(server, announcedAs);
  return [
    ["replica-announce-ip", quoteArgument(announcedAs ?? ip)],
    ["replica-announce-port", `${port}`],
    ...(alpha ? [["replicaof", `${quoteArgument(alpha.host)} ${alpha.port}`] as const] : []),
    ...(minReplicasToWrite === undefined
      ? []
      : [["min-replicas-to-write", `${minReplicasToWrite}`] as const]),
  ];
}

/** Never ours to set, and of no use beside Rekindle: each would break what it does. */
export const forbidden: Readonly<Record<string, string>> = {
  "cluster-enabled": "for a Redis Cluster there is rekindle cluster",
  replicaof: "roles are Rekindle's to give",
  slaveof: "roles are Rekindle's to give",
  "cluster-announce-port": "the peers' addresses are those that discovery names",
  "cluster-announce-tls-port": "the peers' addresses are those that discovery names",
  "cluster-announce-bus-port": "the peers' addresses are those that discovery names",
  requirepass: "Rekindle has to know it: give it with --password-file",
  masterauth: "Rekindle has to know it: give it with --password-file",
  masteruser: "Rekindle has to know it: give it with --user",
  "tls-port": "turn TLS on with --tls-cert, --tls-key and --tls-ca",
};

function refuseContradictions(
  directives: readonly Directive[],
  owned: ReadonlyMap<string, string>,
): void {
  const wrong = directives.flatMap(({ name, values, file, line }) => {
    const ours = owned.get(name);
    const isSecret = name === "requirepass" || name === "masterauth";
    const said = isSecret ? "a value" : `"${values.join(" ")}"`;
    if (ours === undefined) {
      const why = forbidden[name];
      return why === undefined ? [] : [`${name} in ${file}, line ${line} (${why})`];
    }
    if (
      quoteArgument(Buffer.from(values.join(" "), "latin1")) === ours ||
      values.join(" ") === ours
    )
      return [];
    return [
      `${name} is ${said} in ${file}, line ${line}, but ${isSecret ? "another one" : ours} by Rekindle's settings`,
    ];
  });
  if (wrong.length === 0) return;
  throw new RekindleError(
    "configuration",
    `your redis.conf sets what Rekindle decides: ${wrong.join("; ")}`,
    {
      hint: "take these lines out, or change Rekindle's settings to match",
    },
  );
}

type UsersOptions = Pick<ServerOptions, "credentials" | "directives" | "server">;

/**
 * The ACL user of Rekindle and of replication, where the user's own files do not define it. With it the default user, who
 * would otherwise need no password, is turned off.
 */
function userLines({ credentials, directives, server }: UsersOptions): readonly string[] {
  const { user, password } = credentials;
  if (
    user === undefined ||
    password === undefined ||
    directiveValue(directives, "aclfile") !== undefined
  )
    return [];
  const defined = new Set(
    directives
      .filter((directive) => directive.name === "user")
      .map((directive) => directive.values[0]),
  );
  const channels = server.hasChannelRules ? " allchannels" : "";
  const secret = quoteArgument(Buffer.concat([Buffer.from(">"), password]));
  return [
    ...(defined.has(user)
      ? []
      : [`user ${user} reset on ${secret} allkeys${channels} allcommands`]),
    ...(defined.has("default") || user === "default" ? [] : ["user default off"]),
  ];
}
