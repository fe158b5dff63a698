/** What every node has at the end, once every beta has all that its alpha sent. */
import { setTimeout as pause } from "node:timers/promises";
import { slotOf } from "../../src/rdb/slots.ts";
import type { Final, Write } from "./history.ts";
import type { Monitor } from "./monitor.ts";
import { askOnce, lookAt } from "./views.ts";
import { type Host, lifeOf, type World } from "./world.ts";

const atOnce = 200;

export async function readFinals(
  world: World,
  monitor: Monitor,
  writes: readonly Write[],
): Promise<readonly Final[]> {
  const keys = [...new Set(writes.map(({ key }) => key))];
  const shards = monitor.shards();
  const finals: Final[] = [];
  for (const [index, { alpha, betas, firstSlot }] of shards.entries()) {
    const end = shards[index + 1]?.firstSlot ?? 16_384;
    const own = keys.filter((key) => {
      const slot = slotOf(Buffer.from(key));
      return world.topology === "sentinel" || (slot >= firstSlot && slot < end);
    });
    await untilCopied(world, [alpha, ...betas]);
    for (const name of [alpha, ...betas]) {
      const role = name === alpha ? "alpha" : "beta";
      const host = hostOf(world, name);
      finals.push({ node: lifeOf(host), role, lists: await readLists(host, world, own) });
    }
  }
  return finals;
}

const hostOf = (world: World, name: string): Host =>
  world.nodes.find((host) => host.name === name) as Host;

async function untilCopied(world: World, names: readonly string[]): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const views = await Promise.all(names.map((name) => lookAt(hostOf(world, name), world)));
    const [alpha, ...betas] = views;
    const isCopied = betas.every(
      ({ history, offset }) => history === alpha?.history && offset >= alpha.offset,
    );
    if (isCopied || performance.now() > deadline) return;
    await pause(100);
  }
}

async function readLists(
  host: Host,
  { network, port, topology }: World,
  keys: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const lists = new Map<string, readonly string[]>();
  for (let at = 0; at < keys.length; at += atOnce) {
    const some = keys.slice(at, at + atOnce);
    const first = topology === "cluster" ? [["READONLY"]] : [["PING"]];
    const commands = [...first, ...some.map((key) => ["LRANGE", key, 0, -1])];
    const [, ...replies] = await askOnce(network.addressOf(host.name), port, commands, 20_000);
    for (const [index, reply] of replies.entries()) {
      if (!Array.isArray(reply))
        throw new Error(`${host.name} does not show ${some[index]}: ${reply}`);
      if (reply.length > 0) lists.set(some[index] ?? "", reply.map(String));
    }
  }
  return lists;
}
