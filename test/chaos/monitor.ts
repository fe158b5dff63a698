/** Looks at all members all the while, each on its own: what they are, when that changed, and how late the harness itself is. */
import { setTimeout as pause } from "node:timers/promises";
import { lookAt, type View } from "./views.ts";
import { findFlaws, type Shard, shardsOf } from "./wholeness.ts";
import { everybody, type World } from "./world.ts";

export interface RoleChange {
  readonly name: string;
  readonly atMs: number;
  readonly role: View["role"];
}

export interface Monitor {
  views(): readonly View[];
  shards(): readonly Shard[];
  readonly changes: readonly RoleChange[];
  /** The harness' own greatest lateness since that moment, in milliseconds. */
  lagSince(atMs: number): number;
  /** All of them were looked at after this call began, twice in a row, and nothing is amiss. @returns the flaws that remain at the deadline. */
  untilWhole(withinMs: number): Promise<readonly string[]>;
  end(): Promise<void>;
}

const lookAgainMs = 300;

export function startMonitor(world: World): Monitor {
  const latest = new Map<string, View>();
  const changes: RoleChange[] = [];
  const lags: { atMs: number; lagMs: number }[] = [];
  let isEnding = false;
  let due = performance.now() + 100;
  const clock = setInterval(() => {
    const now = performance.now();
    if (now - due > 50) lags.push({ atMs: now, lagMs: now - due });
    due = now + 100;
  }, 100);

  const watches = everybody(world).map(async (host) => {
    while (!isEnding) {
      const view = await lookAt(host, world);
      if (latest.get(host.name)?.role !== view.role)
        changes.push({ name: host.name, atMs: view.atMs, role: view.role });
      latest.set(host.name, view);
      await pause(lookAgainMs);
    }
  });
  const views = () => [...latest.values()];
  return {
    views,
    shards: () => shardsOf(views(), world.topology),
    changes,
    lagSince: (atMs) =>
      Math.max(0, ...lags.filter((lag) => lag.atMs >= atMs).map(({ lagMs }) => lagMs)),
    async untilWhole(withinMs) {
      const deadline = performance.now() + withinMs;
      let since = performance.now();
      let wellSince: number | undefined;
      for (;;) {
        const all = everybody(world);
        const isFresh = all.every(({ name }) => (latest.get(name)?.atMs ?? 0) > since);
        if (isFresh) {
          const flaws = findFlaws(views(), world.topology);
          const now = performance.now();
          if (flaws.length > 0) wellSince = undefined;
          else wellSince ??= now;
          if (wellSince !== undefined && now > wellSince) return [];
          if (now > deadline) return flaws;
          since = now;
        } else if (performance.now() > deadline + 10_000) return ["some did not answer"];
        await pause(50);
      }
    },
    async end() {
      isEnding = true;
      clearInterval(clock);
      await Promise.all(watches);
    },
  };
}
