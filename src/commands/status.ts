/**
 * `rekindle status`: the topology as a person wants to see it.
 */
import { busPortDistance, parseEndpoint } from "../address.ts";
import type { Peer } from "../discovery/discovery.ts";
import { resolveEndpoint } from "../discovery/fixed.ts";
import { messageOf, RekindleError } from "../errors.ts";
import { loopback } from "../local/ports.ts";
import { type LocalState, readState, runningNodes, stateFolder } from "../local/state.ts";
import { createLog } from "../log.ts";
import { readCredentials, readTls } from "../redis/secrets.ts";
import { type Flags, onOff, optionalText, readSettings, type Settings, text } from "../settings.ts";
import { describeStatus, type Status } from "../status/describe-status.ts";
import { createStatusReader } from "../status/read-status.ts";
import { renderStatus } from "../status/render-status.ts";
import { openLiveView, openTerminal } from "../status/terminal.ts";
import { askKubernetes, whereaboutsDescriptions } from "./surroundings.ts";

export const descriptions = {
  connect: optionalText("any node of the cluster, as host:port", {
    defaultText:
      "the local cluster if it runs, else in a pod its cluster's pods, else 127.0.0.1:6379",
  }),
  name: text("which local cluster", { fallback: "default" }),
  watch: onOff("redraw once a second, until q or Ctrl-C"),
  json: onOff("one JSON document instead of the picture"),
  user: optionalText("the ACL user", { defaultText: "the default user" }),
  passwordFile: optionalText("a file that holds the password; REKINDLE_PASSWORD gives it directly"),
  tlsCert: optionalText("our certificate"),
  tlsKey: optionalText("its key"),
  tlsCa: optionalText("the authorities that sign the nodes' certificates"),
  ...whereaboutsDescriptions,
} as const;

const askDeadlineMs = 1_000;

/** @returns 0 for a whole cluster, 1 for one that is not, 75 where nobody answers. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const settings = readSettings(descriptions, flags, environment);
  const credentials = readCredentials(settings, environment);
  const reader = createStatusReader({
    credentials,
    tls: readTls(settings),
    deadlineMs: askDeadlineMs,
  });
  const isNamed = settings.connect !== undefined;
  const local = isNamed ? [] : knownNodes(readState(stateFolder(settings.name, environment)));
  const pods = isNamed || local.length > 0 ? undefined : await findPods(settings, environment);
  const known = local.length > 0 ? local : [await resolveNode(settings.connect ?? ownNode)];
  const look = async (): Promise<Status> =>
    describeStatus(await reader.look((await pods?.find()) ?? known));
  try {
    const status = settings.watch && !settings.json ? await watch(look, environment) : await look();
    if (settings.json) process.stdout.write(`${JSON.stringify(status, null, 2)}\n`);
    else if (!settings.watch) {
      const { width, colours, write } = openTerminal(process.stdout, environment);
      write(`${renderStatus(status, { width, colours })}\n`);
    }
    return exitCodeOf(status);
  } finally {
    reader.close();
    await pods?.close();
  }
}

export function exitCodeOf({ state }: Status): number {
  if (state === "whole") return 0;
  return state === "unreachable" ? 75 : 1;
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

/** All nodes of a local cluster of which at least one runs, so that those that do not are missed. */
function knownNodes(state: LocalState | undefined): readonly Peer[] {
  if (state === undefined) return [];
  if (state.backend === "containers") return state.containers ?? [];
  if (runningNodes(state).length === 0) return [];
  return state.nodes.map(({ name, port }) => ({
    name,
    address: { ip: loopback, port, busPort: port + busPortDistance },
  }));
}

/**
 * Redraws once a second until `q`, Ctrl-C or the signal; elsewhere than on a terminal it prints what has changed.
 *
 * @returns the status of the last look.
 */
export async function watch(
  look: () => Promise<Status>,
  environment: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<Status> {
  const terminal = openTerminal(process.stdout, environment);
  const view = openLiveView(terminal);
  const stop = stopOnKey(signal);
  let said = "";
  try {
    for (;;) {
      const status = await look();
      const gist = JSON.stringify([status.state, status.problems]);
      if (terminal.isTerminal)
        view.draw(renderStatus(status, { ...terminal, height: terminal.height - 2 }));
      else if (gist !== said) terminal.write(`${renderStatus(status, terminal)}\n\n`);
      said = gist;
      if (await stop.within(1_000)) return status;
    }
  } finally {
    view.end();
    stop.end();
  }
}

interface Stop {
  within(ms: number): Promise<boolean>;
  end(): void;
}

function stopOnKey(signal?: AbortSignal): Stop {
  let stopped = signal?.aborted ?? false;
  let wake = () => {};
  const stop = () => {
    stopped = true;
    wake();
  };
  const onKey = (key: Buffer) => {
    if (key.includes("q") || key.includes(3)) stop();
  };
  const { stdin } = process;
  if (stdin.isTTY) stdin.setRawMode(true).on("data", onKey).resume();
  process.on("SIGINT", stop).on("SIGTERM", stop);
  signal?.addEventListener("abort", stop);
  return {
    within: (ms) =>
      new Promise((resolve) => {
        if (stopped) return resolve(true);
        const timer = setTimeout(() => resolve(false), ms);
        wake = () => {
          clearTimeout(timer);
          resolve(true);
        };
      }),
    end() {
      process.off("SIGINT", stop).off("SIGTERM", stop);
      signal?.removeEventListener("abort", stop);
      if (stdin.isTTY) stdin.off("data", onKey).setRawMode(false).pause();
    },
  };
}
