/**
 * What Sentinel runs when the alpha has changed: a program without arguments of ours (`client-reconfig-script`).
 */
import type { Flags } from "../settings.ts";
import { flagOf } from "../settings.ts";

/**
 * A shell script that runs `rekindle label`. Sentinel repeats it only where it ends with 1 (`sentinelCollectTerminatedScripts`).
 *
 * @param executable of Rekindle, absolute.
 * @param flags those that this Sentinel was started with, and that `rekindle label` knows. Variables are inherited.
 */
export function renderSwitchScript(executable: string, flags: Flags): string {
  const words = Object.entries(flags).flatMap(([name, value]) =>
    value === undefined || value === false
      ? []
      : [`--${flagOf(name)}${value === true ? "" : `=${value}`}`],
  );
  return `#!/bin/sh
# Written by Rekindle at every start; changes made here are lost.
${[executable, "label", ...words].map(quoteForShell).join(" ")} || exit 1
`;
}

const quoteForShell = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
