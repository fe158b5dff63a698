/**
 * What all verbs that become a server have in common: what is read and checked before anything is decided, and the last steps.
 */
import { accessSync, constants, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Address, formatAddress } from "../address.ts";
import { lockFolder } from "../cluster/folder-lock.ts";
import type { ClusterSettings } from "../cluster/settings.ts";
import { codeOf, isRekindleError, messageOf, RekindleError } from "../errors.ts";
import { writeWhole } from "../files.ts";
import type { Log } from "../log.ts";
import type { Recorder } from "../metrics/record.ts";
import { becomeServer, type ServerStart } from "../redis/become.ts";
import { renderConfiguration, type ServerOptions } from "../redis/configuration.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { type DataFiles, readDataFiles } from "../redis/data-files.ts";
import { readCredentials, readTls, type SecretSettings, tlsPaths } from "../redis/secrets.ts";
import { findServer, type Server } from "../redis/server.ts";
import { type Directive, readUserConfiguration } from "../redis/user-configuration.ts";
import type { Restorer } from "../restore/restorer.ts";
import type { RestoreSettings } from "../restore/settings.ts";
import { settleRestore } from "../restore/staging.ts";
import type { Flags } from "../settings.ts";
import { type Surroundings, tellRefusal } from "./surroundings.ts";

export type ServerSettings = Pick<
  ClusterSettings,
  | "dir"
  | "config"
  | "server"
  | "user"
  | "passwordFile"
  | "tlsCert"
  | "tlsKey"
  | "tlsCa"
  | "tlsClients"
>;

/** For the decision only; the server has its own. */
const askDeadlineMs = 1_000;

/** What a server will run on. */
export interface Foundation {
  readonly dir: string;
  readonly files: DataFiles;
  /** Of the user's own redis.conf. */
  readonly directives: readonly Directive[];
  readonly connect: ConnectOptions;
  readonly server: Promise<Server>;
  /** The one that Rekindle writes, and that the server rewrites. */
  readonly configurationFile: string;
  /** @throws RekindleError where the user's own redis.conf contradicts what Rekindle must decide. */
  renderConfiguration(own: Pick<ServerOptions, "ip" | "port" | "mode">): Promise<string>;
}

export interface Start {
  readonly dir: string;
  readonly server: ServerStart;
}

/**
 * @param keepsLog whether the server keeps an append-only file where the user's own redis.conf says nothing.
 * @throws RekindleError for what is missing or wrong, before anything is written but the folder's lock.
 */
export function layFoundation(
  settings: ServerSettings,
  environment: NodeJS.ProcessEnv,
  keepsLog = false,
): Foundation {
  const credentials = readCredentials(settings, environment);
  const tls = readTls(settings);
  const userFile = settings.config === undefined ? undefined : resolve(settings.config);
  const directives = readUserConfiguration(userFile);
  const files = readDataFiles(resolve(settings.dir), directives, keepsLog);
  const server = findServer(settings.server, environment.PATH ?? "");
  server.catch(() => {}); // Awaited when it is needed; until then a missing server is not an unhandled rejection.
  requireWritable(files.dir);
  lockOrTell(files.dir);
  return {
    dir: files.dir,
    files,
    directives,
    connect: { credentials, tls, deadlineMs: askDeadlineMs },
    server,
    configurationFile: join(files.dir, "rekindle.conf"),
    renderConfiguration: async (own) =>
      renderConfiguration({
        userFile,
        directives,
        server: await server,
        dir: files.dir,
        credentials,
        tls: tlsOptions(settings),
        ...own,
      }),
  };
}

/**
 * Settles a restore that was cut off, first.
 *
 * @returns undefined where nothing is to be restored: then nothing that restores is loaded.
 */
export async function openRestorer(
  settings: RestoreSettings,
  { files, server }: Foundation,
  log: Log,
): Promise<Restorer | undefined> {
  settleRestore(files.dir, log);
  const { restoreFrom } = settings;
  if (restoreFrom === undefined) return undefined;
  const { createRestorer } = await import("../restore/restorer.ts");
  return createRestorer({ ...settings, restoreFrom }, files, await server, log);
}

/** Writes the configuration, and says what this process becomes. */
export async function finishStart(
  {
    dir,
    server,
    configurationFile,
  }: { readonly dir: string; readonly server: Promise<Server>; readonly configurationFile: string },
  configuration: string,
  address: Address,
  log: Log,
  how: Pick<ServerStart, "more" | "keepsSettings"> = {},
): Promise<Start> {
  writeWhole(configurationFile, configuration, 0o600);
  const { path } = await server;
  log.info("become", `becoming ${path}`, {
    argv: [path, configurationFile, ...(how.more ?? [])],
    address: formatAddress(address),
    ...costs(),
  });
  return { dir, server: { path, configurationFile, ...how } };
}

/** Becomes what was prepared; what is refused meanwhile is told as an Event too. Returns by an error only. */
export async function becomeWithin(
  surroundings: Pick<Surroundings, "tellRefusal" | "close">,
  environment: NodeJS.ProcessEnv,
  record: Recorder,
  prepare: () => Promise<Start>,
): Promise<never> {
  try {
    const { dir, server } = await prepare();
    await surroundings.close();
    process.chdir(dir);
    // A signal that came while we wrote has its turn here; execve would forget it.
    await new Promise((resolve) => setImmediate(resolve));
    record.booted("server");
    return becomeServer(server, environment);
  } catch (thrown) {
    record.booted(isRekindleError(thrown) ? thrown.reason : "defect");
    if (isRekindleError(thrown)) await surroundings.tellRefusal(thrown);
    await surroundings.close();
    throw thrown;
  }
}

/** Settings that do not fit are told as an Event too. */
export async function readOrTell<T>(
  read: (flags: Flags, environment: NodeJS.ProcessEnv) => T,
  flags: Flags,
  environment: NodeJS.ProcessEnv,
): Promise<T> {
  try {
    return read(flags, environment);
  } catch (thrown) {
    if (isRekindleError(thrown)) await tellRefusal(thrown, flags, environment);
    throw thrown;
  }
}

/** As process 1 the kernel drops signals without a handler. Nothing needs undoing: every step may be cut off. */
export function endOnSignals(): void {
  process.once("SIGTERM", () => process.exit(128 + 15));
  process.once("SIGINT", () => process.exit(128 + 2));
}

/** What deciding has cost until now: milliseconds of CPU, and the largest memory in megabytes. */
function costs(): { readonly cpuMs: number; readonly peakMb: number } {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  return {
    cpuMs: Math.round((userCPUTime + systemCPUTime) / 1_000),
    peakMb: Math.round(maxRSS / 1_000),
  };
}

function lockOrTell(dir: string): void {
  try {
    lockFolder(dir);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === undefined) throw cause;
    const isFull = code === "ENOSPC" || code === "EDQUOT";
    throw new RekindleError(
      "refused",
      `the data folder ${dir} cannot be locked: ${messageOf(cause)}`,
      {
        hint: isFull
          ? "make room there, or a larger volume"
          : "give the files there to this user (chown -R; on Kubernetes: fsGroup), or run as their owner",
        cause,
      },
    );
  }
}

export function requireWritable(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true });
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new RekindleError(
      "configuration",
      `the data folder ${dir} cannot be written: ${messageOf(cause)}`,
      {
        hint: "give this user the right to write there, or name another folder with --dir",
        cause,
      },
    );
  }
}

export function tlsOptions(
  settings: SecretSettings & Pick<ServerSettings, "tlsClients">,
): ServerOptions["tls"] {
  const paths = tlsPaths(settings);
  return paths && { ...paths, clients: settings.tlsClients };
}
