/**
 * `rekindle up`: a local cluster of real nodes.
 */
import { RekindleError } from "../errors.ts";
import { claimName } from "../local/claim.ts";
import { runExercise } from "../local/exercise.ts";
import type { LocalCluster, LocalNode } from "../local/local-cluster.ts";
import { startLocalCluster } from "../local/start.ts";
import {
  forgetState,
  type LocalState,
  nodesFolder,
  readState,
  stateFolder,
  writeState,
} from "../local/state.ts";
import { identifyProcess } from "../process-identity.ts";
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
import { exitCodeOf, watch } from "./watch-status.ts";

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
  config: optionalText("your own redis.conf for all nodes", {
    defaultText: "loopback only, no snapshots",
  }),
  image: text("containers: the image", { fallback: "rekindle:latest" }),
} as const;

type UpSettings = Settings<typeof descriptions>;

/** @returns 0 when all went well, the interrupt included; 1 where the exercise lost a key. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const settings = readSettings(descriptions, flags, environment);
  const { name, backend } = settings;
  if (settings.exercise && settings.replicas === 0) {
    throw new RekindleError("usage", "--exercise kills an alpha, and with --replicas 0 its keys", {
      hint: "give each alpha a beta with --replicas 1",
    });
  }
  const folder = stateFolder(name, environment);
  // Before anything is started, and to the very end: a second Ctrl-C must not cut the cleaning short.
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => interrupt.abort());

  const state: LocalState = { name, backend, owner: identifyProcess(process.pid), nodes: [] };
  await claimName(folder, state);
  let cluster: LocalCluster | undefined;
  let keep = false;
  try {
    cluster = await startLocalCluster({
      ...settings,
      nodeTimeoutMs: settings.nodeTimeout,
      root: nodesFolder(folder),
      signal: interrupt.signal,
      onChange: (nodes) => writeState(folder, { ...state, nodes }),
    });
    const status = await showUntilWhole(cluster, settings, environment, interrupt.signal);
    const containers = backend === "containers" ? cluster.nodes.map(asContainer) : [];
    const nodes = readState(folder)?.nodes ?? [];
    keep = settings.detach && !settings.exercise;
    writeState(folder, { ...state, owner: keep ? undefined : state.owner, nodes, containers });
    if (settings.json) {
      process.stdout.write(`${JSON.stringify(describe(name, cluster, status), null, 2)}\n`);
    }
    if (settings.exercise) return await runExercise(cluster, environment, interrupt.signal);
    if (!keep) await watch(cluster.status, renderStatus, environment, interrupt.signal);
    return 0;
  } catch (thrown) {
    if (interrupt.signal.aborted) return 0;
    throw thrown;
  } finally {
    if (!keep) {
      await cluster?.end();
      forgetState(folder);
    }
  }
}

const asContainer = ({ name, address }: LocalNode) => ({ name, address });

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
