/**
 * `rekindle up`: a local cluster, or a set under Sentinel, of real servers.
 */
import { claimName } from "../local/claim.ts";
import type { LocalNode, LocalServers } from "../local/local-servers.ts";
import { readUpSettings, type UpSettings, upSettingDescriptions } from "../local/settings.ts";
import {
  forgetState,
  type LocalState,
  nodesFolder,
  readState,
  stateFolder,
  writeState,
} from "../local/state.ts";
import { identifyProcess } from "../process-identity.ts";
import type { Flags } from "../settings.ts";
import type { Shown } from "../status/describe-status.ts";
import { openLiveView, openTerminal } from "../status/terminal.ts";
import { type Show, showCluster, showSet } from "./up-topologies.ts";
import { exitCodeOf, watch } from "./watch-status.ts";

export const descriptions = upSettingDescriptions;

/** @returns 0 when all went well, the interrupt included; 1 where the exercise lost a key. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const settings = readUpSettings(flags, environment);
  return settings.topology === "sentinel"
    ? up(showSet(settings), settings, environment)
    : up(showCluster(settings), settings, environment);
}

async function up<L extends LocalServers<S>, S extends Shown>(
  show: Show<L, S>,
  settings: UpSettings,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const { name, topology, backend, server, config, image, port } = settings;
  const folder = stateFolder(name, environment);
  // Before anything is started, and to the very end: a second Ctrl-C must not cut the cleaning short.
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => interrupt.abort());

  const owner = identifyProcess(process.pid);
  const state: LocalState = { name, topology, backend, owner, nodes: [] };
  await claimName(folder, state);
  let local: L | undefined;
  let keep = false;
  try {
    local = await show.start({
      ...{ name, backend, server, config, image, port },
      root: nodesFolder(folder),
      signal: interrupt.signal,
      onChange: (nodes) => writeState(folder, { ...state, nodes }),
    });
    const status = await showUntilWhole(show, local, settings, environment, interrupt.signal);
    const containers =
      backend === "containers"
        ? [...local.nodes.map(asContainer(false)), ...show.sentinels(local).map(asContainer(true))]
        : [];
    const nodes = readState(folder)?.nodes ?? [];
    keep = settings.detach && !settings.exercise;
    writeState(folder, { ...state, owner: keep ? undefined : owner, nodes, containers });
    if (settings.json) {
      const document = { name, state: status.state, exitCode: exitCodeOf(status) };
      const text = JSON.stringify({ ...document, ...show.describe(local) }, null, 2);
      process.stdout.write(`${text}\n`);
    }
    if (settings.exercise) return await show.exercise(local, environment, interrupt.signal);
    if (!keep) await watch(local.status, show.render, environment, interrupt.signal);
    return 0;
  } catch (thrown) {
    if (interrupt.signal.aborted) return 0;
    throw thrown;
  } finally {
    if (!keep) {
      await local?.end();
      forgetState(folder);
    }
  }
}

const asContainer =
  (isSentinel: boolean) =>
  ({ name, address }: LocalNode) => ({ name, address, isSentinel });

/** Progress goes to standard error: standard output may be data. */
async function showUntilWhole<L extends LocalServers<S>, S extends Shown>(
  show: Show<L, S>,
  local: L,
  settings: UpSettings,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<S> {
  const terminal = openTerminal(process.stderr, environment);
  const view = openLiveView(terminal);
  const startedAt = performance.now();
  let said = "";
  const onProgress = (status: S) => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    const line = show.progress(status, local);
    if (terminal.isTerminal) view.draw(`${show.aim(local)} … ${seconds} s\n${line}`);
    else if (line !== said) terminal.write(`${seconds} s: ${line}\n`);
    said = line;
  };
  let status: S;
  try {
    status = await local.waitUntilWhole({ onProgress, signal });
    if (settings.detach || settings.exercise) {
      const picture = show.render(status, terminal);
      if (terminal.isTerminal) view.draw(`${picture}\n`);
      else terminal.write(`${picture}\n`);
    }
  } finally {
    view.end();
  }
  if (show.hint) terminal.write(`${show.hint(local)}\n`);
  return status;
}
