/**
 * The settings of taking snapshots, each described once, for `rekindle backup` and `rekindle sidecar --backup`.
 */
import { onOff, type Setting, type Settings } from "../settings.ts";
import { retentionDescriptions } from "../snapshots/settings.ts";
import { storeSettingDescriptions } from "../stores/settings.ts";

const units: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

export const every = {
  describe:
    "a snapshot at each multiple of this time since midnight UTC, such as 6h or 1d; one that is due at the start is taken at once",
  read(value: string): number {
    const [, number, unit = ""] = /^(\d+)([smhd])$/.exec(value) ?? [];
    const ms = Number(number) * (units[unit] ?? Number.NaN);
    if (!(ms >= 1_000 && ms <= 31 * 86_400_000))
      throw new Error("expected a time like 30m, 6h or 1d, up to 31d");
    return ms;
  },
};

export const backupDescriptions = {
  every: every as Setting<number | undefined>,
  continuous: onOff("with --every: keep each second what is written between snapshots, too"),
  ...retentionDescriptions,
  ...storeSettingDescriptions,
} as const;

export type BackupSettings = Settings<typeof backupDescriptions>;
