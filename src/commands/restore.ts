/**
 * `rekindle restore`: a snapshot into a folder, by hand.
 */
import { resolve } from "node:path";
import { lockFolder } from "../cluster/folder-lock.ts";
import { describeSlots } from "../cluster/nodes.ts";
import { clusterSettingDescriptions as shared } from "../cluster/settings.ts";
import { exitCodes, RekindleError } from "../errors.ts";
import { createLog } from "../log.ts";
import { parseSlotRange, type SlotRange, slotSet } from "../rdb/slots.ts";
import { readDataFiles } from "../redis/data-files.ts";
import { findServer, type Server } from "../redis/server.ts";
import { readServerVersion } from "../redis/server-version.ts";
import { readUserConfiguration } from "../redis/user-configuration.ts";
import { planFromStore } from "../restore/plan-from-store.ts";
import { restoreFolder } from "../restore/restore-folder.ts";
import { checkWanted, moment } from "../restore/settings.ts";
import { settleRestore } from "../restore/staging.ts";
import type { Source, WantedSnapshot } from "../restore/types.ts";
import { type Flags, onOff, optionalText, readSettings, type Setting } from "../settings.ts";
import { openStore } from "../stores/open-store.ts";
import { storeForms, storeSettingDescriptions } from "../stores/settings.ts";
import type { Store } from "../stores/store.ts";
import { formatBytes } from "../words.ts";
import { requireWritable } from "./start-server.ts";

const slots: Setting<readonly SlotRange[] | undefined> = {
  describe: "only the keys of these slots, as 0-5460,7000",
  defaultText: "all",
  read: (value) => value.split(",").map(parseSlotRange),
};

export const descriptions = {
  from: optionalText(`the store: ${storeForms}`),
  dir: optionalText("the folder; it must hold no data yet"),
  snapshot: optionalText("which snapshot, by its id", { defaultText: "the newest" }),
  at: moment("the moment whose data is wanted, as far as the backup goes", "the newest"),
  slots,
  dryRun: onOff("say what would be restored, and write nothing"),
  config: optionalText("the server's redis.conf: it tells which files the server will load", {
    defaultText: "Redis' own defaults",
  }),
  server: shared.server,
  ...storeSettingDescriptions,
  logLevel: shared.logLevel,
  logFormat: shared.logFormat,
} as const;

/** @returns 0 when everything is in place. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const settings = readSettings(descriptions, flags, environment);
  const url = required(settings.from, "from where", "the store with --from");
  const wanted = { id: settings.snapshot, at: settings.at };
  checkWanted(wanted, "--snapshot", "--at");
  const log = createLog(settings.logLevel, settings.logFormat);
  const directives = readUserConfiguration(settings.config && resolve(settings.config));
  const server = await findServer(settings.server, environment.PATH ?? "");
  const store = await openStore(url, settings);
  try {
    if (settings.dryRun) return await describePlan(store, wanted, settings.slots, server);
    const dir = resolve(required(settings.dir, "into which folder", "it with --dir"));
    requireWritable(dir);
    lockFolder(dir);
    settleRestore(dir, log);
    const files = readDataFiles(dir, directives);
    const outcome = await restoreFolder({
      store,
      wanted,
      slots: settings.slots,
      files,
      server,
      log,
    });
    if (outcome !== "restored") throw nothingThere(url);
    // With an append-only file it would ignore what is there, and start empty.
    if (settings.config === undefined)
      log.warn(
        "action",
        "it is for a server without an append-only file; name the redis.conf of one that has it with --config",
      );
    return exitCodes.done;
  } finally {
    store.close();
  }
}

function required(value: string | undefined, what: string, hint: string): string {
  if (value !== undefined) return value;
  throw new RekindleError("usage", `it is not said ${what} to restore`, { hint: `name ${hint}` });
}

const nothingThere = (url: string): RekindleError =>
  new RekindleError("refused", `${url} holds no snapshot`, {
    hint: "check the URL: `rekindle backups` lists what is there",
  });

async function describePlan(
  store: Store,
  wanted: WantedSnapshot,
  only: readonly SlotRange[] | undefined,
  server: Server,
): Promise<number> {
  const target = { server: await readServerVersion(server.path), slots: only && slotSet(only) };
  const plan = await planFromStore(store, wanted, target);
  if (plan.kind === "nothing") throw nothingThere(store.url);
  if (plan.kind === "refuse") throw new RekindleError("refused", plan.reason, { hint: plan.hint });
  process.stdout.write(`${renderPlan(plan.source, only).join("\n")}\n`);
  return exitCodes.done;
}

function renderPlan(
  { manifest, parts, bytes }: Source,
  only: readonly SlotRange[] | undefined,
): readonly string[] {
  const { id, endedAt, server } = manifest;
  return [
    `snapshot ${id} of ${endedAt}, ${server.name} ${server.version}, about ${formatBytes(bytes)}${only ? ` of slots ${describeSlots(only)}` : ""}`,
    ...parts.map(({ shard, segments, gapAt }) => {
      const of = shard.slots.length > 0 ? ` (slots ${shard.slots.join(",")})` : "";
      const stream = segments.length > 0 ? `, and ${segments.length} segments of its stream` : "";
      const gap = gapAt === undefined ? "" : `, up to a gap after offset ${gapAt}`;
      return `  ${shard.file}${of}: ${formatBytes(shard.bytes)}${stream}${gap}`;
    }),
  ];
}
