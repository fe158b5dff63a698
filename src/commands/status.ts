/**
 * `rekindle status`: the topology as a person wants to see it.
 */
import { busPortDistance, parseEndpoint } from "../address.ts";
import type { Peer } from "../discovery/discovery.ts";
import { resolveEndpoint } from "../discovery/fixed.ts";
import { RekindleError } from "../errors.ts";
import { loopback } from "../local/ports.ts";
import { type LocalState, readState, runningNodes, stateFolder } from "../local/state.ts";
import { readCredentials, readTls } from "../redis/secrets.ts";
import { type Flags, onOff, optionalText, readSettings, text } from "../settings.ts";
import { describeStatus, type Status } from "../status/describe-status.ts";
import { createStatusReader } from "../status/read-status.ts";
import { renderStatus } from "../status/render-status.ts";
import { openLiveView, openTerminal } from "../status/terminal.ts";

export const descriptions = {
  connect: optionalText("any node of the cluster, as host:port", {
    defaultText: "the local cluster if it runs, else 127.0.0.1:6379",
  }),
  name: text("which local cluster", { fallback: "default" }),
  watch: onOff("redraw once a second, until q or Ctrl-C"),
  json: onOff("one JSON document instead of the picture"),
  user: optionalText("the ACL user", { defaultText: "the default user" }),
  passwordFile: optionalText("a file that holds the password; REKINDLE_PASSWORD gives it directly"),
  tlsCert: optionalText("our certificate"),
  tlsKey: optionalText("its key"),
  tlsCa: optionalText("the authorities that sign the nodes' certificates"),
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
  const known = await findKnown(settings.connect, settings.name, environment);
  const look = async (): Promise<Status> => describeStatus(await reader.look(known));
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
  }
}

export function exitCodeOf({ state }: Status): number {
  if (state === "whole") return 0;
  return state === "unreachable" ? 75 : 1;
}

async function findKnown(
  connect: string | undefined,
  name: string,
  environment: NodeJS.ProcessEnv,
): Promise<readonly Peer[]> {
  if (connect === undefined) {
    const state = readState(stateFolder(name, environment));
    const known = knownNodes(state);
    if (known.length > 0) return known;
  }
  const wanted = connect ?? "127.0.0.1:6379";
  const peer = await resolveEndpoint({ name: wanted, ...parseEndpoint(wanted, 6379) }, 5_000);
  if (peer.address === undefined) {
    throw new RekindleError("tryAgain", `${wanted}: ${peer.waitingFor}`, {
      hint: "check the name in --connect",
    });
  }
  return [peer];
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
