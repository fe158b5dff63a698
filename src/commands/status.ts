/**
 * `rekindle status`: the topology as a person wants to see it.
 */
import type { Peer } from "../discovery/discovery.ts";
import { localSetName } from "../local/members.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { openConnections } from "../redis/connections.ts";
import { type Mode, readMode } from "../redis/read-mode.ts";
import { readCredentials, readTls } from "../redis/secrets.ts";
import { findSentinels } from "../replication/sentinels.ts";
import { sentinelDescriptions } from "../replication/settings.ts";
import { type Flags, onOff, optionalText, readSettings } from "../settings.ts";
import { type AloneStatus, describeAlone } from "../status/describe-alone.ts";
import { describeSet, type SetStatus } from "../status/describe-set.ts";
import { describeStatus, type Shown, type Status } from "../status/describe-status.ts";
import { createAloneReader } from "../status/read-alone.ts";
import { createSetReader } from "../status/read-set.ts";
import { createStatusReader } from "../status/read-status.ts";
import { renderAlone } from "../status/render-alone.ts";
import { renderSet } from "../status/render-set.ts";
import { type RenderOptions, renderStatus } from "../status/render-status.ts";
import { openTerminal } from "../status/terminal.ts";
import { knownNodesDescriptions, openKnownNodes } from "./known-nodes.ts";
import { whereaboutsDescriptions } from "./surroundings.ts";
import { exitCodeOf, watch } from "./watch-status.ts";

export const descriptions = {
  ...knownNodesDescriptions,
  watch: onOff("redraw once a second, until q or Ctrl-C"),
  json: onOff("one JSON document instead of the picture"),
  user: optionalText("the ACL user", { defaultText: "the default user" }),
  passwordFile: optionalText("a file that holds the password; REKINDLE_PASSWORD gives it directly"),
  tlsCert: optionalText("our certificate"),
  tlsKey: optionalText("its key"),
  tlsCa: optionalText("the authorities that sign the nodes' certificates"),
  ...sentinelDescriptions,
  ...whereaboutsDescriptions,
} as const;

const askDeadlineMs = 1_000;

/** @returns 0 where all is whole, 1 where it is not, 75 where nobody answers. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const settings = readSettings(descriptions, flags, environment);
  const credentials = readCredentials(settings, environment);
  const options = { credentials, tls: readTls(settings), deadlineMs: askDeadlineMs };
  const nodes = await openKnownNodes(settings, environment, "status");
  const { find, local } = nodes;
  const showIt = <S extends Shown>(view: View<S>) =>
    show(view, find, settings, environment).finally(view.close);
  try {
    if (local?.isSet)
      return await showIt(viewSet(options, localSetName, async () => local.sentinels));
    const mode = local ? "cluster" : await findMode(await find(), options);
    if (mode === "alone") return await showIt(viewAlone(options));
    if (mode !== "set") return await showIt(viewCluster(options));
    const findThem = (nodes: readonly Peer[]) =>
      findSentinels({ self: undefined, others: nodes }, settings);
    return await showIt(viewSet(options, settings.set, findThem));
  } finally {
    await nodes.close();
  }
}

interface View<S extends Shown> {
  look(known: readonly Peer[]): Promise<S>;
  render(status: S, options: RenderOptions): string;
  close(): void;
}

function viewCluster(options: ConnectOptions): View<Status> {
  const reader = createStatusReader(options);
  return {
    look: async (known) => describeStatus(await reader.look(known)),
    render: renderStatus,
    close: reader.close,
  };
}

function viewAlone(options: ConnectOptions): View<AloneStatus> {
  const reader = createAloneReader(options);
  return {
    look: async (known) => describeAlone(await reader.look(known)),
    render: renderAlone,
    close: reader.close,
  };
}

function viewSet(...[options, set, findThem]: Parameters<typeof createSetReader>): View<SetStatus> {
  const reader = createSetReader(options, set, findThem);
  return {
    look: async (known) => describeSet(await reader.look(known), set),
    render: renderSet,
    close: reader.close,
  };
}

/** What the first node that answers says it is. */
async function findMode(
  known: readonly Peer[],
  options: ConnectOptions,
): Promise<Mode | undefined> {
  const connections = openConnections(options);
  const ask = async ({ address }: Peer) => address && readMode(connections, address);
  try {
    const asked = known.filter(({ address }) => address);
    return await Promise.any(asked.map(ask)).catch(() => undefined);
  } finally {
    connections.close();
  }
}

async function show<S extends Shown>(
  view: View<S>,
  find: () => Promise<readonly Peer[]>,
  settings: { readonly watch: boolean; readonly json: boolean },
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const look = async () => view.look(await find());
  const isLive = settings.watch && !settings.json;
  const status = await (isLive ? watch(look, view.render, environment) : look());
  if (settings.json) process.stdout.write(`${JSON.stringify(status, null, 2)}\n`);
  else if (!settings.watch) {
    const { width, colours, write } = openTerminal(process.stdout, environment);
    write(`${view.render(status, { width, colours })}\n`);
  }
  return exitCodeOf(status);
}
