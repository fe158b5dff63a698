/**
 * The settings of a reload, wherever it runs.
 */
import { clusterSettingDescriptions } from "../cluster/settings.ts";
import { choice, duration, onOff } from "../settings.ts";

export const reloadDescriptions = {
  enforce: onOff(
    "with a reload: put right what was set by hand too, not only what the file changes",
  ),
  passwordOverlap: duration(
    "with a reload: how long an old password is taken after no node uses it any more: clients may",
    { from: 0, to: 86_400_000 },
    "2m",
  ),
  server: clusterSettingDescriptions.server,
} as const;

/** Of one that stays. */
export const restartDescriptions = {
  restart: choice(
    "with a reload: what needs a restart: one node of a whole set at a time, or never; auto is in-turn in a Kubernetes pod, where the server is started again",
    ["auto", "in-turn", "never"],
    "auto",
  ),
  gracePeriod: duration(
    "with a reload: how long a restart may wait for the alpha's role to be handed over",
    { from: 1_000, to: 3_600_000 },
    "60s",
  ),
} as const;
