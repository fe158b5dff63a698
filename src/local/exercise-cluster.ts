/**
 * The exercise of `rekindle up --exercise`: an alpha is killed and loses its disk; its replacement makes the cluster whole.
 *
 * A client writes before and reads back after: what was acknowledged and copied must be there.
 */
import { Cluster } from "ioredis";
import { describeSlots } from "../cluster/nodes.ts";
import type { Status } from "../status/describe-status.ts";
import { renderStatus } from "../status/render-status.ts";
import { openTerminal } from "../status/terminal.ts";
import { checkKeys, commandTimeout, startClock, withClient, writeKeys } from "./exercise.ts";
import type { LocalCluster } from "./local-cluster.ts";

/** @returns 0 where the cluster became whole and every key is there, else 1. */
export async function runClusterExercise(
  cluster: LocalCluster,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<number> {
  const terminal = openTerminal(process.stdout, environment);
  const before = await cluster.status();
  const victim = before.shards[0]?.alpha;
  if (victim === undefined) throw new Error("there is no alpha to kill");
  const alphas = (client: Cluster) => client.nodes("master");
  await withClient(connectTo(cluster), (client) => writeKeys(client, alphas, 1));

  const slots = describeSlots(before.shards[0]?.slots ?? []);
  terminal.write(
    `\nkilling ${victim.name} (kill -9), the alpha of slots ${slots}, and emptying its folder\n`,
  );
  const mark = startClock(terminal);
  await cluster.killNode(victim.name);
  mark("killed");
  await cluster.startNode(victim.name, { emptied: true });
  mark("replacement started, with an empty folder");
  const after = await cluster.waitUntilWhole({ signal, onProgress: progress(victim.id, mark) });
  mark("whole: every slot served, every beta in sync, all nodes agree");

  terminal.write(`\n${renderStatus(after, terminal)}\n\n`);
  return withClient(connectTo(cluster), (client) => checkKeys(client, terminal));
}

/** Says each step the first time that it is seen. */
function progress(oldId: string, mark: (what: string) => void): (status: Status) => void {
  const said = new Set<string>();
  const once = (what: string, holds: boolean) => {
    if (!holds || said.has(what)) return;
    said.add(what);
    mark(what);
  };
  return (status) => {
    const nodes = status.shards.flatMap((shard) => [shard.alpha, ...shard.betas]);
    once(
      "its beta was promoted, all slots are served again",
      status.shards.every((shard) => shard.alpha.answers && shard.alpha.id !== oldId),
    );
    once(
      "the replacement joined as a beta",
      said.size > 0 &&
        nodes.filter((node) => node.answers).length === nodes.length &&
        nodes.length === status.nodes &&
        status.idle.length === 0 &&
        status.shards.every((shard) => shard.betas.length > 0),
    );
  };
}

const connectTo = ({ seeds, natMap }: LocalCluster): Cluster =>
  new Cluster([...seeds], {
    scaleReads: "master",
    redisOptions: { commandTimeout },
    ...(natMap ? { natMap } : {}),
  });
