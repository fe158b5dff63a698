/** Carries a fault out, and says what it hit, when, and what shows that it happened. */
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { breakMemory } from "./break-memory.ts";
import { drawCut } from "./draw-cut.ts";
import type { Fault, Strike } from "./faults.ts";
import { fillFolder } from "./fill-folder.ts";
import type { Monitor } from "./monitor.ts";
import type { Cut } from "./network.ts";
import { everybody, type Host, type World } from "./world.ts";

export interface Injector {
  /** Ends when the fault has, and the set is left to itself. @returns what it hit; empty where it was skipped. */
  inject(fault: Fault, episode: number): Promise<readonly Strike[]>;
  readonly strikes: readonly Strike[];
  /** Why faults were skipped. */
  readonly skipped: readonly string[];
}

export function createInjector(world: World, monitor: Monitor): Injector {
  const strikes: Strike[] = [];
  const skipped: string[] = [];
  const cuts = new Map<Fault, readonly Cut[]>();

  function hostOf(name: string | undefined): Host | undefined {
    return world.nodes.find((host) => host.name === name);
  }
  function resolve({ target }: Fault): Host {
    const { role, shard } = target;
    if (role === "sentinel") return world.sentinels[shard % 3] as Host;
    const shards = monitor.shards();
    const found = shards[world.topology === "cluster" ? shard % Math.max(1, shards.length) : 0];
    const beta =
      found?.betas[world.topology === "cluster" ? 0 : shard % Math.max(1, found.betas.length)];
    return (
      hostOf(role === "beta" ? (beta ?? found?.alpha) : found?.alpha) ??
      (world.nodes[shard] as Host)
    );
  }
  function strike(fault: Fault, host: Host, episode: number): Strike {
    const shards = monitor.shards();
    const shard = shards.findIndex(
      ({ alpha, betas }) => alpha === host.name || betas.includes(host.name),
    );
    const view = monitor.views().find(({ name }) => name === host.name);
    const made: Strike = {
      episode,
      kind: fault.kind,
      node: host.name,
      role: host.kind === "sentinel" ? "sentinel" : (view?.role ?? "unknown"),
      shard: host.kind === "sentinel" || shard < 0 ? undefined : shard,
      startedMs: performance.now(),
      endedMs: Number.POSITIVE_INFINITY,
      observed: undefined,
    };
    strikes.push(made);
    return made;
  }
  const end = (made: Strike, observed: string | undefined): void => {
    made.endedMs = performance.now();
    made.observed ??= observed;
  };

  /** Down for a while, and back: as it was, or as somebody else. */
  async function takeDown(
    fault: Fault,
    host: Host,
    made: Strike,
    signal: NodeJS.Signals,
  ): Promise<void> {
    const isReplaced = fault.kind === "replace";
    const isElsewhere = isReplaced || fault.kind === "move" || fault.moves === true;
    const pid = host.main.pid;
    await host.main.end(signal);
    // A pod takes its sidecar with it.
    if (isElsewhere) {
      await host.healer?.end("SIGKILL");
      world.unlist(host);
    }
    await pause(fault.forMs);
    if (isElsewhere) {
      await world.change(host, { moves: true, isEmptied: isReplaced });
      world.list(host);
    }
    host.main.start();
    host.healer?.start();
    end(made, pid === undefined ? undefined : `process ${pid} ended`);
  }

  async function drain(fault: Fault, host: Host, episode: number): Promise<void> {
    const made = strike(fault, host, episode);
    const code = await world.drain(host);
    // A drain that fails is followed by the end all the same, as on Kubernetes.
    const ending = code === 0 ? made : strike({ ...fault, kind: "terminate" }, host, episode);
    await host.main.end("SIGTERM");
    host.main.start();
    end(made, `drain ended with ${code}`);
    if (ending !== made) end(ending, "after a drain that was late");
  }

  const applyCuts = () => world.network.cut([...cuts.values()].flat());

  async function cut(fault: Fault, host: Host, made: Strike): Promise<void> {
    const names = everybody(world).map(({ name }) => name);
    const { side, away, pairs } = drawCut(fault, host.name, names, monitor.shards());
    // All on the smaller side may lose what they take meanwhile; of two halves nobody knows which that is.
    const hit = fault.from === "half" ? [...side, ...away] : side;
    const others = everybody(world).filter(({ name }) => hit.includes(name) && name !== host.name);
    const all = [made, ...others.map((one) => strike(fault, one, made.episode))];
    cuts.set(fault, pairs);
    await applyCuts();
    await pause(fault.forMs);
    cuts.delete(fault);
    const dropped = await applyCuts();
    for (const one of all) end(one, dropped > 0 ? `${dropped} packets were dropped` : undefined);
  }

  async function fillDisk(fault: Fault, host: Host, made: Strike): Promise<void> {
    const { isFull, empty } = fillFolder(host.dir);
    await pause(fault.forMs);
    empty();
    end(made, isFull ? "no space was left" : undefined);
  }

  async function killWhileBooting(fault: Fault, host: Host, made: Strike): Promise<void> {
    await host.main.end("SIGKILL");
    for (const delayMs of fault.delaysMs ?? []) {
      host.main.start();
      await pause(delayMs);
      await host.main.end("SIGKILL");
    }
    host.main.start();
    end(made, `killed after ${fault.delaysMs?.join(", ")} ms`);
  }

  function whyNot(fault: Fault): string | undefined {
    const { abilities } = world.network;
    const needs = {
      cut: "cut",
      "cut-one-way": "cut",
      slow: "slow",
      dns: "dns",
      "disk-full": "disk-full",
      "out-of-memory": "out-of-memory",
    } as const;
    const need = needs[fault.kind as keyof typeof needs];
    if (need !== undefined && !abilities.has(need)) return `${fault.kind}: needs root on Linux`;
    return undefined;
  }

  async function carryOut(fault: Fault, episode: number): Promise<void> {
    const host = resolve(fault);
    switch (fault.kind) {
      case "drain":
        return drain(fault, host, episode);
      case "roll":
        for (const one of world.nodes) {
          await drain(fault, one, episode);
          await monitor.untilWhole(60_000);
        }
        return;
      case "all-down": {
        const all = everybody(world);
        await Promise.all(
          all.map((one, index) =>
            takeDown(
              {
                ...fault,
                forMs: fault.forMs + (fault.delaysMs?.[index % world.nodes.length] ?? 0),
              },
              one,
              strike(fault, one, episode),
              "SIGKILL",
            ),
          ),
        );
        return;
      }
    }
    const made = strike(fault, host, episode);
    switch (fault.kind) {
      case "kill":
      case "replace":
      case "move":
        return takeDown(fault, host, made, "SIGKILL");
      case "terminate":
        return takeDown(fault, host, made, "SIGTERM");
      case "pause": {
        host.main.strike("SIGSTOP");
        await pause(fault.forMs);
        const state = readState(host.main.pid);
        host.main.strike("SIGCONT");
        return end(made, state === "T" ? "the process was stopped" : undefined);
      }
      case "cut":
      case "cut-one-way":
        return cut(fault, host, made);
      case "slow": {
        await world.network.slow(host.name, fault.lossPercent ?? 1);
        await pause(fault.forMs);
        const dropped = await world.network.slow(host.name, 0);
        return end(made, dropped > 0 ? `${dropped} packets were dropped` : undefined);
      }
      case "dns": {
        const before = world.nameServer?.misled() ?? 0;
        world.nameServer?.answer(fault.answer ?? "stale");
        // Nobody would notice but one that starts.
        await Promise.all([
          takeDown(
            { ...fault, kind: "replace", forMs: 0 },
            host,
            strike({ ...fault, kind: "replace" }, host, episode),
            "SIGKILL",
          ),
          pause(fault.forMs),
        ]);
        world.nameServer?.answer("true");
        const misled = (world.nameServer?.misled() ?? 0) - before;
        return end(made, misled > 0 ? `${misled} questions were misled` : undefined);
      }
      case "disk-full":
        return fillDisk(fault, host, made);
      case "out-of-memory": {
        const shard = monitor.shards().find(({ betas }) => betas.includes(host.name));
        return end(made, await breakMemory(host, hostOf(shard?.alpha) ?? host, world));
      }
      case "boot-kill":
        return killWhileBooting(fault, host, made);
    }
  }

  return {
    strikes,
    skipped,
    async inject(fault, episode) {
      const why = whyNot(fault);
      if (why !== undefined) {
        skipped.push(why);
        return [];
      }
      const before = strikes.length;
      await carryOut(fault, episode);
      return strikes.slice(before);
    },
  };
}

/** `T`: stopped by a signal. */
function readState(pid: number | undefined): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0];
  } catch {
    return undefined;
  }
}
