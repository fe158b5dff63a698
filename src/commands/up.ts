/**
 * `rekindle up`: a local cluster of real nodes.
 */
import { join } from "node:path";
import { isRekindleError, RekindleError } from "../errors.ts";
import { runExercise } from "../local/exercise.ts";
import type { LocalCluster } from "../local/local-cluster.ts";
import { startLocalCluster } from "../local/start.ts";
import { readState, runningNodes, stateFolder, writeState } from "../local/state.ts";
import {
  choice,
  count,
  duration,
  type Flags,
  onOff,
  optionalCount,
  optionalText,
  readSettings,
  type Settings,
  text,
} from "../settings.ts";
import type { Status } from "../status/describe-status.ts";
import { renderStatus } from "../status/render-status.ts";
import { openLiveView, openTerminal } from "../status/terminal.ts";
import { exitCodeOf, watch } from "./status.ts";

export const descriptions = {
  nodes: count("how many nodes, betas included", { from: 3, to: 1000 }, { fallback: "6" }),
  replicas: count("how many betas each alpha gets", { from: 0, to: 10 }, { fallback: "1" }),
  backend: choice(
    "real servers as processes on loopback, or the image in containers",
    ["processes", "containers"],
    "processes",
  ),
  detach: onOff("leave it running; `rekindle down` ends it"),
  json: onOff("when it is whole, one JSON document that says where it is"),
  exercise: onOff(
    "kill an alpha, empty its folder, start its replacement, and show how long each step takes",
  ),
  name: text("a name, to have several", { fallback: "default" }),
  port: optionalCount(
    "the first node's port",
    { from: 1, to: 55_535 },
    { defaultText: "the first free ones from 7001 on" },
  ),
  nodeTimeout: duration("cluster-node-timeout", { from: 100, to: 600_000 }, "5s"),
  server: optionalText("the server's executable", {
    defaultText: "redis-server or valkey-server on the PATH",
  }),
  config: optionalText("your own redis.conf for all nodes"),
  image: text("containers: the image", { fallback: "rekindle:latest" }),
} as const;

type UpSettings = Settings<typeof descriptions>;

/** @returns 0 when all went well, the interrupt included; 1 where the cluster did not become whole. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const settings = readSettings(descriptions, flags, environment);
  const folder = stateFolder(settings.name, environment);
  refuseWhileRunning(settings.name, folder);

  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  const cluster = await startLocalCluster({
    ...settings,
    nodeTimeoutMs: settings.nodeTimeout,
    root: join(folder, "nodes"),
    onChange: (nodes) => writeState(folder, { name: settings.name, nodes }),
  });
  let keep = false;
  try {
    const status = await showUntilWhole(cluster, settings, environment, interrupt.signal);
    keep = settings.detach;
    if (settings.json)
      process.stdout.write(
        `${JSON.stringify(describe(settings.name, cluster, status), null, 2)}\n`,
      );
    if (settings.exercise) return await runExercise(cluster, environment, interrupt.signal);
    if (settings.detach) return 0;
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    await watch(() => cluster.status(), environment);
    return 0;
  } catch (thrown) {
    if (interrupt.signal.aborted) return 0;
    throw isRekindleError(thrown) ? thrown : asFailure(thrown, cluster);
  } finally {
    if (!keep) {
      await cluster.end();
      const { rmSync } = await import("node:fs");
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

function refuseWhileRunning(name: string, folder: string): void {
  const running = runningNodes(readState(folder));
  if (running.length === 0) return;
  throw new RekindleError(
    "configuration",
    `the local cluster "${name}" runs already, ${running.length} nodes from port ${running[0]?.port} on`,
    {
      hint: `end it with rekindle down --name ${name}, or give this one another --name`,
    },
  );
}

/** Progress goes to standard error: standard output may be data. */
async function showUntilWhole(
  cluster: LocalCluster,
  settings: UpSettings,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Status> {
  const terminal = openTerminal(process.stderr, environment);
  const view = openLiveView(terminal);
  const startedAt = performance.now();
  let said = "";
  const onProgress = (status: Status) => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    const okay = status.shards
      .flatMap((shard) => [shard.alpha, ...shard.betas])
      .filter((node) => node.state === "ok").length;
    const line = `${status.nodes} of ${settings.nodes} nodes answer, ${status.slotsServed} of 16384 slots assigned, ${okay} nodes ok`;
    if (terminal.isTerminal)
      view.draw(`founding a cluster of ${settings.nodes} nodes … ${seconds} s\n${line}`);
    else if (line !== said) terminal.write(`${seconds} s: ${line}\n`);
    said = line;
  };
  try {
    const status = await cluster.waitUntilWhole({ onProgress, signal });
    if (settings.detach || settings.exercise) {
      const picture = renderStatus(status, terminal);
      if (terminal.isTerminal) view.draw(`${picture}\n`);
      else terminal.write(`${picture}\n`);
    }
    return status;
  } finally {
    view.end();
  }
}

function describe(name: string, cluster: LocalCluster, status: Status) {
  return {
    name,
    state: status.state,
    exitCode: exitCodeOf(status),
    seeds: cluster.seeds,
    nodes: cluster.nodes,
  };
}

/** What went wrong is in the nodes' own words: the last of them that ended. */
function asFailure(thrown: unknown, cluster: LocalCluster): RekindleError {
  const ended = cluster.nodes.filter((node) => node.pid === undefined && node.dir !== undefined);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new RekindleError("tryAgain", message, {
    hint:
      ended.length > 0
        ? `${ended.map((node) => node.name).join(", ")} ended; run rekindle cluster by hand to see why`
        : "try again",
    cause: thrown,
  });
}
