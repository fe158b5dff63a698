/**
 * A status that is shown until somebody has seen enough.
 */
import type { Shown } from "../status/describe-status.ts";
import type { RenderOptions } from "../status/render-status.ts";
import { openLiveView, openTerminal } from "../status/terminal.ts";

export function exitCodeOf({ state }: Shown): number {
  if (state === "whole") return 0;
  return state === "unreachable" ? 75 : 1;
}

/**
 * Redraws once a second until `q`, Ctrl-C or the signal; elsewhere than on a terminal it prints what has changed.
 *
 * @returns the status of the last look.
 */
export async function watch<S extends Shown>(
  look: () => Promise<S>,
  render: (status: S, options: RenderOptions) => string,
  environment: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<S> {
  const terminal = openTerminal(process.stdout, environment);
  const view = openLiveView(terminal);
  const stop = stopOnKey(signal);
  let said = "";
  try {
    for (;;) {
      const status = await look();
      const gist = JSON.stringify([status.state, status.problems]);
      if (terminal.isTerminal)
        view.draw(render(status, { ...terminal, height: terminal.height - 2 }));
      else if (gist !== said) terminal.write(`${render(status, terminal)}\n\n`);
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
