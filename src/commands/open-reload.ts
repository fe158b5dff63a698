/**
 * What `rekindle reload` and `rekindle sidecar --reload` have in common: settings, and what a reload works with.
 */
import { globSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Address } from "../address.ts";
import { ownAddress } from "../cluster/drain.ts";
import { clusterSettingDescriptions } from "../cluster/settings.ts";
import { type Discovery, isAmong, type Peers, type PodFacts } from "../discovery/discovery.ts";
import { isRekindleError } from "../errors.ts";
import { isInPod } from "../kubernetes/access.ts";
import type { Log } from "../log.ts";
import type { Recorder } from "../metrics/record.ts";
import { hasPeers } from "../redis/configuration.ts";
import { readCredentials, readTlsAt } from "../redis/secrets.ts";
import { findServer } from "../redis/server.ts";
import type { Around } from "../reload/around.ts";
import { filesOf } from "../reload/files.ts";
import { openMemory } from "../reload/memory.ts";
import { beOnlyOne } from "../reload/only-one.ts";
import { type OwnConfiguration, readOwnConfiguration } from "../reload/own-configuration.ts";
import type { ReloadOptions } from "../reload/reload.ts";
import { reloadDescriptions, type restartDescriptions } from "../reload/settings.ts";
import { trialPrefix } from "../reload/try-out.ts";
import { peerDescriptions, roleLabel, sentinelDescriptions } from "../replication/settings.ts";
import type { Settings } from "../settings.ts";
import { leave } from "./drain.ts";
import { guardDrain } from "./guard-drain.ts";
import { lookAtSet } from "./look-at-set.ts";
import { findSurroundings, type Surroundings, whereaboutsDescriptions } from "./surroundings.ts";

const { dir, peerWait, passwordFile, logLevel, logFormat } = clusterSettingDescriptions;

export const reloadSettingDescriptions = {
  dir,
  ...reloadDescriptions,
  ...peerDescriptions,
  ...sentinelDescriptions,
  roleLabel,
  ...whereaboutsDescriptions,
  peerWait,
  passwordFile,
  logLevel,
  logFormat,
} as const;

/** One that is run once restarts nothing, and looks once. */
export type ReloadSettings = Settings<typeof reloadSettingDescriptions> &
  Partial<Settings<typeof restartDescriptions>> & { readonly interval?: number };

export interface OpenReload {
  readonly options: ReloadOptions;
  end(): void;
}

const askDeadlineMs = 2_000;

/**
 * @param surroundings undefined where nobody tells who the peers are but the server itself.
 * @param isAtWork false for a look that changes nothing: somebody else may be at work meanwhile.
 * @throws RekindleError `tryAgain` where another reload is at work for this server.
 */
export async function openReload(
  settings: ReloadSettings,
  environment: NodeJS.ProcessEnv,
  surroundings: Surroundings | undefined,
  record: Recorder,
  isAtWork: boolean,
): Promise<OpenReload> {
  const folder = resolve(settings.dir);
  const own = () => readOwnConfiguration(folder);
  await surroundings?.knowSelf();
  const only = isAtWork ? await beOnlyOne(portOf(own, settings.port)) : undefined;
  // Of one that was killed.
  if (only)
    for (const left of globSync(`${trialPrefix}*`, { cwd: folder })) remove(join(folder, left));
  const readPassword = () =>
    readCredentials({ ...noSecrets, passwordFile: settings.passwordFile }, environment).password;
  const inTurn =
    settings.restart === "in-turn" || (settings.restart === "auto" && isInPod(environment));
  return {
    options: {
      dir: folder,
      ip: settings.address ?? "127.0.0.1",
      server: await findServer(settings.server, environment.PATH ?? ""),
      files: (own) => [
        ...filesOf(folder, own),
        ...(settings.passwordFile === undefined ? [] : [resolve(settings.passwordFile)]),
      ],
      readPassword,
      around: createAround(settings, surroundings, record, own, readPassword),
      memory: openMemory(folder),
      log: surroundings?.log ?? record.log,
      enforce: settings.enforce,
      passwordOverlapMs: settings.passwordOverlap,
      figures: { ended: record.reloaded, state: record.reloadState },
      restarts: inTurn,
      intervalMs: settings.interval ?? 0,
    },
    end: () => only?.end(),
  };
}

const noSecrets = { user: undefined, tlsCert: undefined, tlsKey: undefined, tlsCa: undefined };
const remove = (path: string) => rmSync(path, { recursive: true, force: true });

function portOf(own: () => OwnConfiguration, otherwise: number): number {
  try {
    return own().port;
  } catch (thrown) {
    if (!isRekindleError(thrown)) throw thrown;
    return otherwise; // The server is yet to be started for the first time.
  }
}

/** Undefined where nobody tells who the peers are but the server itself. */
export async function findIfTold(
  settings: ReloadSettings,
  environment: NodeJS.ProcessEnv,
  log: Log,
  verb: string,
): Promise<Surroundings | undefined> {
  const { peers, dns, discovery } = settings;
  const isTold = [peers, dns, discovery].some((one) => one !== undefined);
  if (!isTold && !isInPod(environment)) return undefined;
  return findSurroundings(settings, environment, log, verb);
}

function createAround(
  settings: ReloadSettings,
  surroundings: Surroundings | undefined,
  record: Recorder,
  readOwn: () => OwnConfiguration,
  readPassword: () => Buffer | undefined,
): Around {
  const { discovery, turns } = surroundings ?? {};
  const ways = ({ credentials, tls }: OwnConfiguration) =>
    [readPassword() ?? credentials.password, credentials.password].map((password) => ({
      credentials: { user: credentials.user, password },
      tls: tls && readTlsAt(tls),
      deadlineMs: askDeadlineMs,
    }));
  const addressOf = ({ port }: OwnConfiguration): Address => ownAddress(settings.address, port);
  return {
    hasLock: turns !== undefined,
    sentinel: {
      set: settings.set,
      address: ownAddress(settings.address, settings.sentinelPort),
    },
    async hold() {
      const peers: Peers = (await discovery?.find()) ?? nobody;
      return turns ? turns.hold(isAmong(peers)) : { held: true, foundedAt: undefined };
    },
    release: async () => turns?.release(),
    look: async () => {
      const own = readOwn();
      return lookAtSet({
        ...settings,
        address: addressOf(own),
        discovery,
        ways: ways(own),
        sentinelPlaces: settings,
        isAlone: !hasPeers(own.owned),
      });
    },
    async drain() {
      const own = readOwn();
      const endsAt = Date.now() + (settings.gracePeriod ?? 0);
      const address = addressOf(own);
      return leave({
        settings,
        environment: {},
        address,
        discovery: whoStays(discovery, address),
        connect: ways(own)[0] as ReturnType<typeof ways>[number],
        markAlpha: surroundings?.markAlpha ?? (async () => "right"),
        guard: (left) => guardDrain(left, drainArguments(settings, own)),
        log: surroundings?.log ?? record.log,
        leftMs: () => endsAt - Date.now(),
      });
    },
  };
}

const nobody: Peers = { self: undefined, others: [] };

/** To a drain this node is one that stays: it hands over, and nobody forgets it. */
function whoStays(discovery: Discovery | undefined, address: Address): Discovery {
  const staying: PodFacts = {
    kubernetesNode: undefined,
    template: "",
    isOfNewestTemplate: true,
    isTroubled: false,
    mayHoldData: true,
    isLeaving: false,
  };
  return {
    async find() {
      const peers = (await discovery?.find()) ?? nobody;
      const self = peers.self ?? { name: `${address.ip}:${address.port}`, address };
      return { ...peers, self: { ...self, pod: { ...staying, ...self.pod, isLeaving: false } } };
    },
  };
}

/** For a drain that goes on after this process. */
function drainArguments(
  settings: ReloadSettings,
  { port, credentials, tls }: OwnConfiguration,
): readonly string[] {
  const { dir, address, set, sentinels, sentinelDns, sentinelPort, passwordFile } = settings;
  const given = {
    ...{ dir, port, address, set, "sentinel-port": sentinelPort, "sentinel-dns": sentinelDns },
    ...{ sentinels: sentinels?.join(), "password-file": passwordFile, user: credentials.user },
    ...(tls && { "tls-cert": tls.cert, "tls-key": tls.key, "tls-ca": tls.ca }),
  };
  return [
    "drain",
    ...Object.entries(given).flatMap(([flag, value]) =>
      value === undefined ? [] : [`--${flag}=${value}`],
    ),
  ];
}
