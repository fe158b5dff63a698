/**
 * `rekindle standalone`: one persistent Redis. Its data folder is checked, mended or restored, and then loaded by the server that
 * this process becomes.
 */
import { resolve } from "node:path";
import { accessDescriptions, checkTls, clusterSettingDescriptions } from "../cluster/settings.ts";
import { createLog, type Log } from "../log.ts";
import { openRecord } from "../metrics/record.ts";
import { type DataFiles, findDataFiles, isWithoutKeys } from "../redis/data-files.ts";
import { requireFreePorts } from "../redis/ports.ts";
import { directiveValue } from "../redis/user-configuration.ts";
import { checkRestore, restoreSettingDescriptions } from "../restore/settings.ts";
import { type Flags, readSettings, type Settings } from "../settings.ts";
import { requireNoOtherServer } from "../standalone/find-other-server.ts";
import { prepareFolder, readLastStart } from "../standalone/prepare-folder.ts";
import { version } from "../version.ts";
import {
  becomeWithin,
  endOnSignals,
  finishStart,
  layFoundation,
  openRestorer,
  readOrTell,
  type Start,
} from "./start-server.ts";
import { tellRefusal } from "./surroundings.ts";

const shared = clusterSettingDescriptions;

export const descriptions = {
  port: shared.port,
  dir: shared.dir,
  config: shared.config,
  server: shared.server,
  ...restoreSettingDescriptions,
  ...accessDescriptions,
} as const;

type StandaloneSettings = Settings<typeof descriptions>;

/** Nobody has to find this server; what listens is looked for where its probes look. */
const loopback = "127.0.0.1";

/** Does not return where all goes well: the process is the server by then. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  endOnSignals();
  const settings = await readOrTell(readStandaloneSettings, flags, environment);
  const log = createLog(settings.logLevel, settings.logFormat);
  const record = openRecord(settings.dir, "standalone", log);
  record.log.info("start", `rekindle ${version} standalone`, { dir: resolve(settings.dir) });
  const surroundings = {
    tellRefusal: (thrown: Parameters<typeof tellRefusal>[0]) =>
      tellRefusal(thrown, flags, environment),
    close: () => Promise.resolve(),
  };
  return becomeWithin(surroundings, environment, record, () =>
    prepare(settings, environment, record.log),
  );
}

function readStandaloneSettings(flags: Flags, environment: NodeJS.ProcessEnv): StandaloneSettings {
  const settings = readSettings(descriptions, flags, environment);
  checkTls(settings);
  checkRestore(settings);
  return settings;
}

async function prepare(
  settings: StandaloneSettings,
  environment: NodeJS.ProcessEnv,
  log: Log,
): Promise<Start> {
  const { port } = settings;
  const foundation = layFoundation(settings, environment, true);
  const { files, directives, configurationFile } = foundation;
  const mode = { kind: "standalone", appendonly: files.appendonly } as const;
  const configuration = await foundation.renderConfiguration({ ip: loopback, port, mode });
  await requireFreePorts(loopback, [{ port, flag: "--port" }]);
  const server = await foundation.server;
  requireNoOtherServer(files.dir);
  const restorer = await openRestorer(settings, foundation, log);
  if (restorer && holdsNothing(files)) {
    await restorer.prepare("all");
    restorer.commit();
  }
  const set = (name: string) => directiveValue(directives, name)?.toLowerCase();
  await prepareFolder({
    files,
    server,
    takesShort: set("aof-load-truncated") !== "no",
    isRelaxed: set("rdb-version-check") === "relaxed",
    lastStart: readLastStart(configurationFile),
    log,
  });
  return finishStart(foundation, configuration, { ip: loopback, port, busPort: 0 }, log);
}

/** A server that never had a key has left files all the same. */
function holdsNothing(files: DataFiles): boolean {
  try {
    return findDataFiles(files).every(isWithoutKeys);
  } catch {
    return false; // Something is there that this user cannot look at, which is told a moment later.
  }
}
