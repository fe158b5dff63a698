/**
 * What Sentinel runs when something has happened: a program without arguments of ours (`client-reconfig-script` when the alpha has
 * changed, `notification-script` for every event that it warns of).
 */
import { type Flags, flagOf } from "../settings.ts";

/**
 * A shell script that runs `rekindle tend`. Sentinel repeats it, with growing pauses for hours, only where it ends with 1
 * (`sentinelCollectTerminatedScripts`).
 *
 * @param executable of Rekindle, absolute.
 * @param flags those that this Sentinel was started with, and that `rekindle tend` knows. Variables are inherited.
 */
export function renderEventScript(executable: string, flags: Flags): string {
  const words = Object.entries(flags).flatMap(([name, value]) =>
    value === undefined || value === false
      ? []
      : [`--${flagOf(name)}${value === true ? "" : `=${value}`}`],
  );
  return `#!/bin/sh
# Written by Rekindle at every start; changes made here are lost.
case "$1 $2" in
[-+]'sdown slave '* | '+sdown sentinel '*) ;;
[-+]*) exit 0 ;;
esac
${[executable, "tend", ...words].map(quoteForShell).join(" ")} || exit 1
`;
}

const quoteForShell = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
