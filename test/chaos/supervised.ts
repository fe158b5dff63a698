/** A process that is started again when it ends, as the kubelet does, only sooner. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import type { Runtime } from "./runtime.ts";

export interface Ending {
  readonly name: string;
  readonly life: number;
  readonly atMs: number;
  readonly lifeMs: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** By the harness. */
  readonly isOurs: boolean;
}

export interface Supervised {
  /** Counts its starts. */
  readonly life: number;
  readonly pid: number | undefined;
  start(): void;
  /** Not started again until told to. @returns when it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** It is started again as it is by itself. */
  strike(signal: NodeJS.Signals): void;
}

/** The kubelet waits for 10 s and longer; a test has less time. */
const [backOffMs, backOffMsMax, livedMs] = [200, 2_000, 5_000];

/** @param command asked at each start: an address may have changed. */
export function supervise(
  name: string,
  command: () => readonly string[],
  logFile: string,
  onEnd: (ending: Ending) => void,
  runtime: Pick<Runtime, "pidOf" | "kill">,
): Supervised {
  let [life, waitMs, isWanted, isOurs] = [0, backOffMs, false, false];
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;

  function launch(): void {
    if (!isWanted || isRunning()) return;
    const log = openSync(logFile, "a");
    const [file = "", ...args] = command();
    const started = spawn(file, args, {
      stdio: ["ignore", log, log],
      env: { PATH: process.env.PATH },
    });
    closeSync(log);
    life++;
    isOurs = false;
    child = started;
    const startedMs = performance.now();
    started.on("error", () => {});
    started.once("exit", (exitCode, ownSignal) => {
      const signal = ownSignal ?? (runtime.kill && signalIn(exitCode)) ?? null;
      const code = signal === null ? exitCode : null;
      const atMs = performance.now();
      const lifeMs = atMs - startedMs;
      onEnd({ name, life, atMs, lifeMs, code, signal, isOurs });
      waitMs = lifeMs > livedMs ? backOffMs : Math.min(waitMs * 2, backOffMsMax);
      clearTimeout(timer);
      timer = setTimeout(launch, waitMs);
    });
  }
  const send = (signal: NodeJS.Signals): void => {
    if (child === undefined) return;
    if (runtime.kill) runtime.kill(name, child, signal);
    else child.kill(signal);
  };
  const isRunning = (): boolean =>
    child !== undefined && child.exitCode === null && child.signalCode === null;

  return {
    get life() {
      return life;
    },
    get pid() {
      if (!isRunning()) return undefined;
      return runtime.pidOf ? runtime.pidOf(name) : child?.pid;
    },
    start() {
      isWanted = true;
      launch();
    },
    async end(signal) {
      isWanted = false;
      clearTimeout(timer);
      if (!isRunning() || child === undefined) return;
      isOurs = true;
      const ended = once(child, "exit");
      send(signal);
      // A process that was stopped hears nothing.
      if (signal !== "SIGKILL") send("SIGCONT");
      const late = setTimeout(() => send("SIGKILL"), 15_000);
      await ended;
      clearTimeout(late);
    },
    strike(signal) {
      if (!isRunning()) return;
      isOurs = signal === "SIGKILL" || signal === "SIGTERM";
      send(signal);
    },
  };
}

/** A container's exit code tells the signal that ended its process. */
function signalIn(code: number | null): NodeJS.Signals | undefined {
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  return names.find(([, number]) => number + 128 === code)?.[0];
}
