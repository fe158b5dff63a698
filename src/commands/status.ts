/**
 * `rekindle status`: the topology as a person wants to see it.
 */
import { parseEndpoint } from "../address.ts";
import type { Peer } from "../discovery/discovery.ts";
import { resolveEndpoint } from "../discovery/fixed.ts";
import { messageOf, RekindleError } from "../errors.ts";
import { localSetName } from "../local/members.ts";
import { knownPeers, readState, stateFolder } from "../local/state.ts";
import { createLog } from "../log.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { openConnections } from "../redis/connections.ts";
import { type Mode, readMode } from "../redis/read-mode.ts";
import { readCredentials, readTls } from "../redis/secrets.ts";
import { findSentinels } from "../replication/sentinels.ts";
import { sentinelDescriptions } from "../replication/settings.ts";
import { type Flags, onOff, optionalText, readSettings, type Settings, text } from "../settings.ts";
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
import { askKubernetes, whereaboutsDescriptions } from "./surroundings.ts";
import { exitCodeOf, watch } from "./watch-status.ts";

export const descriptions = {
  connect: optionalText("any node of the cluster, as host:port", {
    defaultText:
      "the local cluster or set if it runs, else in a pod its cluster's pods, else 127.0.0.1:6379",
  }),
  name: text("which local cluster or set", { fallback: "default" }),
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
  const isNamed = settings.connect !== undefined;
  const local = isNamed ? undefined : findLocal(settings.name, environment);
  const pods = isNamed || local ? undefined : await findPods(settings, environment);
  const known = local?.nodes ?? [await resolveNode(settings.connect ?? ownNode)];
  const find = async () => (await pods?.find()) ?? known;
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
    await pods?.close();
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

interface Pods {
  /** Undefined where the API server does not tell; the nodes' own tables have to do then. */
  find(): Promise<readonly Peer[] | undefined>;
  close(): Promise<void>;
}

/** In a pod: the pods of the same owner. */
async function findPods(
  settings: Settings<typeof whereaboutsDescriptions>,
  environment: NodeJS.ProcessEnv,
): Promise<Pods | undefined> {
  // Standard output is the status.
  const log = createLog("warn", "text", 2);
  const unheard = (thrown: unknown) => {
    log.warn("observed", `no pod is known by its name: ${messageOf(thrown)}`);
    return undefined;
  };
  const around = await askKubernetes(settings, environment, log, "status", unheard);
  return (
    around && {
      async find() {
        const { self, selfWaitingFor, others } = await around.discovery.find();
        return self ? [self, ...others] : unheard(new Error(selfWaitingFor));
      },
      close: around.close,
    }
  );
}

/** What `rekindle up` has left running under this name. */
function findLocal(name: string, environment: NodeJS.ProcessEnv) {
  const state = readState(stateFolder(name, environment));
  const nodes = state ? knownPeers(state, "nodes") : [];
  if (state === undefined || nodes.length === 0) return undefined;
  const isSet = state.topology === "sentinel";
  return { isSet, nodes, sentinels: knownPeers(state, "sentinels") };
}

const ownNode = "127.0.0.1:6379";

async function resolveNode(wanted: string): Promise<Peer> {
  const peer = await resolveEndpoint({ name: wanted, ...parseEndpoint(wanted, 6379) }, 5_000);
  if (peer.address === undefined) {
    throw new RekindleError("tryAgain", `${wanted}: ${peer.waitingFor}`, {
      hint: "check the name in --connect",
    });
  }
  return peer;
}
