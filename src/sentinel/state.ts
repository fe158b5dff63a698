/**
 * What a Sentinel remembers in its sentinel.conf, which it rewrites itself whenever it learns something.
 */
import { splitArguments } from "../redis/user-configuration.ts";
import type { HostPort } from "../replication/types.ts";

export interface SentinelState {
  readonly alpha: HostPort;
  readonly currentEpoch: number;
  readonly configEpoch: number;
  readonly leaderEpoch: number;
  readonly betas: readonly HostPort[];
  readonly sentinels: readonly (HostPort & { readonly id: string })[];
}

/**
 * @param set the name under which the alpha is monitored.
 * @returns undefined where the file monitors nothing of that name. Lines that are torn are left out: it is known again soon.
 */
export function parseState(text: string, set: string): SentinelState | undefined {
  const lines = text.split(/\r?\n/).flatMap((line) => {
    const [first, ...rest] = splitArguments(line.trim()) ?? [];
    return first?.toLowerCase() === "sentinel" ? [rest] : [];
  });
  /** The values of `sentinel <name> <set> …`. */
  const all = (...names: readonly string[]) =>
    lines.flatMap(([name = "", of, ...values]) =>
      names.includes(name.toLowerCase()) && of === set ? [values] : [],
    );
  const endpoint = ([host = "", port]: readonly string[]): HostPort[] =>
    host !== "" && Number(port) > 0 ? [{ host, port: Number(port) }] : [];
  const [alpha] = all("monitor").flatMap(endpoint);
  if (alpha === undefined) return undefined;
  const number = (name: string) => Number(all(name)[0]?.[0] ?? 0) || 0;
  const current = lines.find(([name]) => name?.toLowerCase() === "current-epoch")?.[1];
  return {
    alpha,
    currentEpoch: Number(current ?? 0) || 0,
    configEpoch: number("config-epoch"),
    leaderEpoch: number("leader-epoch"),
    betas: all("known-replica", "known-slave").flatMap(endpoint),
    sentinels: all("known-sentinel").flatMap((values) =>
      endpoint(values).map((at) => ({ ...at, id: values[2] ?? "" })),
    ),
  };
}
