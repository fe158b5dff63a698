/**
 * `rekindle sentinel`: write or repair sentinel.conf, wait for an alpha that answers, and become redis-sentinel.
 */
import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { lockFolder } from "../cluster/folder-lock.ts";
import { discoveryOf } from "../cluster/settings.ts";
import { ownAddresses, type Peer, soleOwnAddress } from "../discovery/discovery.ts";
import { RekindleError } from "../errors.ts";
import { readIfThere, writeWhole } from "../files.ts";
import { createLog, type Log } from "../log.ts";
import { openRecord } from "../metrics/record.ts";
import type { Credentials } from "../redis/connection.ts";
import { requireFreePorts } from "../redis/ports.ts";
import { readCredentials, readTls } from "../redis/secrets.ts";
import { findServer, requireHostnames } from "../redis/server.ts";
import { decideWhatToWatch } from "../sentinel/boot.ts";
import { renderSentinelConfiguration } from "../sentinel/configuration.ts";
import { renderEventScript } from "../sentinel/event-script.ts";
import {
  majorityOf,
  readSentinelSettings,
  type SentinelSettings,
  sentinelSettingDescriptions,
} from "../sentinel/settings.ts";
import { parseState } from "../sentinel/state.ts";
import type { Flags } from "../settings.ts";
import { version } from "../version.ts";
import {
  becomeWithin,
  endOnSignals,
  finishStart,
  readOrTell,
  requireWritable,
  type Start,
  tlsOptions,
} from "./start-server.ts";
import { findSurroundings, type Surroundings } from "./surroundings.ts";
import { descriptions as tendDescriptions } from "./tend.ts";

export const descriptions = sentinelSettingDescriptions;

const askDeadlineMs = 1_000;

/** Does not return where all goes well: the process is the Sentinel by then. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  endOnSignals();
  const settings = await readOrTell(readSentinelSettings, flags, environment);
  const log = createLog(settings.logLevel, settings.logFormat);
  const record = openRecord(settings.dir, "sentinel", log);
  const quorum = settings.quorum ?? majorityOf(settings.count);
  record.log.info("start", `rekindle ${version} sentinel`, {
    dir: resolve(settings.dir),
    discovery: discoveryOf(settings, environment),
    quorum: `${quorum} of ${settings.count}`,
  });
  warnOfCount(settings.count, record.log);
  const around = { ...settings, busPort: undefined, onNewTemplate: "join" } as const;
  const surroundings = await findSurroundings(around, environment, record.log, "sentinel", true);
  return becomeWithin(surroundings, environment, record, () =>
    prepare(settings, flags, quorum, environment, surroundings),
  );
}

function warnOfCount(count: number, log: Log): void {
  const borne = count - majorityOf(count);
  if (count % 2 === 0 || count < 3)
    log.warn(
      "start",
      `${count} Sentinels bear the loss of ${borne}: ${count < 3 ? "three bear one" : `${count - 1} bear as many`}`,
    );
}

async function prepare(
  settings: SentinelSettings,
  flags: Flags,
  quorum: number,
  environment: NodeJS.ProcessEnv,
  { discovery, log, markAlpha }: Surroundings,
): Promise<Start> {
  const { set, sentinelPort, peerWait, announceHostname: announcedAs } = settings;
  const credentials = readCredentials(settings, environment);
  refuseZeroByte(credentials);
  const dir = resolve(settings.dir);
  const server = findServer(settings.server, environment.PATH ?? "");
  requireWritable(dir);
  lockFolder(dir);
  const { hasHostnames } = await server;
  requireHostnames(await server, announcedAs);
  const configurationFile = join(dir, "sentinel.conf");
  const { address, state } = await decideWhatToWatch({
    discovery,
    set,
    sentinelPlaces: settings,
    announcedAs,
    remembered: parseState(readIfThere(configurationFile) ?? "", set),
    peerWaitMs: peerWait,
    connect: { credentials, tls: readTls(settings), deadlineMs: askDeadlineMs },
    markAlpha,
    log,
    onSelf: ({ ip, port }) => requireFreePorts(ip, [{ port, flag: "--sentinel-port" }]),
    findOwnAddress: (sentinels) => settings.address ?? ownAmong(sentinels) ?? soleOwnAddress(),
  });
  const configuration = renderSentinelConfiguration({
    set,
    state,
    id: identify(settings.pod ?? announcedAs ?? hostname(), set, sentinelPort),
    quorum,
    dir,
    ip: address.ip,
    announcedAs,
    hasHostnames,
    port: sentinelPort,
    downAfterMs: settings.downAfter,
    failoverTimeoutMs: settings.failoverTimeout,
    eventScript: writeEventScript(flags, dir),
    credentials,
    tls: tlsOptions(settings),
  });
  return finishStart({ dir, server, configurationFile }, configuration, address, log, {
    more: ["--sentinel"],
    keepsSettings: true,
  });
}

/** It would be sent up to there (`sentinelSendAuthIfNeeded` takes it for a C string), and refused by every node. */
function refuseZeroByte({ password }: Credentials): void {
  if (!password?.includes(0)) return;
  throw new RekindleError(
    "configuration",
    "the password holds a zero byte, which Sentinel cannot send",
    { hint: "choose one without" },
  );
}

/** @returns where it is. */
function writeEventScript(flags: Flags, dir: string): string {
  const path = join(dir, "on-event");
  const known = Object.entries(flags).filter(([name]) => name in tendDescriptions);
  writeWhole(path, renderEventScript(process.execPath, Object.fromEntries(known)), 0o700);
  return path;
}

/** The same Sentinel has the same id in every life, wherever it runs, also without its sentinel.conf. */
const identify = (pod: string, set: string, port: number): string =>
  createHash("sha1").update(`${pod}\n${set}\n${port}`).digest("hex");

function ownAmong(sentinels: readonly Peer[]): string | undefined {
  const mine = ownAddresses();
  return sentinels.map(({ address }) => address?.ip).find((ip) => ip !== undefined && mine.has(ip));
}
