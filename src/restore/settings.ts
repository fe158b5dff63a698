/**
 * What every verb that becomes a server can be told to restore, each setting described once.
 */
import { RekindleError } from "../errors.ts";
import { optionalText, type Setting, type Settings } from "../settings.ts";
import { storeSettingDescriptions } from "../stores/settings.ts";
import type { WantedSnapshot } from "./types.ts";

/** A moment that means the same everywhere. */
export const moment = (describe: string, defaultText: string): Setting<Date | undefined> => ({
  describe,
  defaultText,
  read(value) {
    const isWhole = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/.test(value);
    const time = Date.parse(value);
    if (isWhole && !Number.isNaN(time)) return new Date(time);
    throw new Error("expected a time with its zone, such as 2026-11-25T20:15:00Z");
  },
});

export const restoreSettingDescriptions = {
  restoreFrom: optionalText(
    "a store with snapshots (s3://bucket/prefix, gs://bucket/prefix, file:///path), for a start with an empty data folder where no peer has the data",
  ),
  restoreSnapshot: optionalText("which snapshot is restored, by its id", {
    defaultText: "the newest",
  }),
  restoreAt: moment("the moment whose data is restored, as far as the backup goes", "the newest"),
  ...storeSettingDescriptions,
} as const;

export type RestoreSettings = Settings<typeof restoreSettingDescriptions>;

/** @throws RekindleError "configuration" where the settings do not fit each other. */
export function checkRestore({
  restoreFrom,
  restoreSnapshot,
  restoreAt,
}: Pick<RestoreSettings, "restoreFrom" | "restoreSnapshot" | "restoreAt">): void {
  checkWanted({ id: restoreSnapshot, at: restoreAt }, "--restore-snapshot", "--restore-at");
  if (restoreFrom !== undefined || (restoreSnapshot ?? restoreAt) === undefined) return;
  throw new RekindleError("configuration", "it is said what to restore, and not from where", {
    hint: "name the store with --restore-from",
  });
}

export function checkWanted({ id, at }: WantedSnapshot, idFlag: string, atFlag: string): void {
  if (id === undefined || at === undefined) return;
  throw new RekindleError("configuration", `${idFlag} and ${atFlag} are both given`, {
    hint: "keep one",
  });
}
