/** The memory limit of a container is hit: the kernel ends the server. By a cgroup of either version. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { slotOf } from "../../src/rdb/slots.ts";
import { askOnce, lookAt } from "./views.ts";
import type { Host, World } from "./world.ts";

const isSecond = existsSync("/sys/fs/cgroup/cgroup.controllers");
const parent = isSecond ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
const limitFile = isSecond ? "memory.max" : "memory.limit_in_bytes";
const limitBytes = 24 * 2 ** 20;

/**
 * @param alpha of its shard, or itself: what is written there a beta has to take as well.
 * @returns what shows that it happened.
 */
export async function breakMemory(
  host: Host,
  alpha: Host,
  world: World,
): Promise<string | undefined> {
  const { pid } = host.main;
  const group = `${parent}/${world.network.nameOf(host.name)}`;
  if (pid === undefined) return undefined;
  const life = host.main.life;
  try {
    mkdirSync(group, { recursive: true });
    writeFileSync(`${group}/${limitFile}`, `${limitBytes}`);
    writeFileSync(`${group}/cgroup.procs`, `${pid}`);
  } catch {
    return undefined;
  }
  // What it has already counts elsewhere: it is made to ask for more, for a moment.
  const { slots } = await lookAt(alpha, world);
  const key = keyIn(slots);
  const ballast = [
    ["SETRANGE", key, 4 * limitBytes, "x"],
    ["DEL", key],
  ];
  const ip = world.network.addressOf(alpha.name);
  await askOnce(ip, world.port, ballast, 3_000).catch(() => {});
  await pause(1_000);
  const isOver = host.main.life !== life || host.main.pid === undefined;
  try {
    if (host.main.pid === pid) writeFileSync(`${parent}/cgroup.procs`, `${pid}`);
    rmdirSync(group);
  } catch {
    // Somebody is still in it: it goes with the machine.
  }
  return isOver ? "the server was killed at its limit" : undefined;
}

function keyIn(slots: readonly (readonly [number, number])[]): string {
  for (let i = 0; ; i++) {
    const slot = slotOf(Buffer.from(`ballast:${i}`));
    if (slots.length === 0 || slots.some(([first, last]) => slot >= first && slot <= last))
      return `ballast:${i}`;
  }
}
