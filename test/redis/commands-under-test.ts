/**
 * The built executable's local cluster commands, with a state folder of the test's own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import type { Address } from "../../src/address.ts";
import { readState, runningNodes, stateFolder } from "../../src/local/state.ts";
import { identifyProcess } from "../../src/process-identity.ts";
import { connect } from "../../src/redis/connection.ts";
import { executable } from "./nodes-under-test.ts";
import { until } from "./until.ts";

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
  output(): string;
}

export interface Room {
  readonly state: string;
  start(...args: readonly string[]): Running;
  run(...args: readonly string[]): Promise<Finished>;
  /** Process ids of the nodes and Sentinels called `default` that run. */
  nodes(): readonly number[];
  /** Names of what lies in the state folder. */
  folders(): readonly string[];
}

/** Whatever the test leaves running in it ends with the test. */
export function openRoom(more: NodeJS.ProcessEnv = {}): Room {
  const state = mkdtempSync(join(tmpdir(), "rekindle-room-"));
  const environment = { ...process.env, XDG_STATE_HOME: state, ...more };
  const started = new Set<ChildProcess>();

  function start(...args: readonly string[]): Running {
    const child = spawn(executable, args, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    started.add(child);
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (bytes: Buffer) => {
      stdout += bytes.toString();
    });
    child.stderr.on("data", (bytes: Buffer) => {
      stderr += bytes.toString();
    });
    const finished = new Promise<Finished>((resolve) =>
      child.once("close", (exitCode) => resolve({ exitCode, stdout, stderr })),
    );
    return { process: child, finished, output: () => stdout + stderr };
  }
  const folder = stateFolder("default", { XDG_STATE_HOME: state });
  const room: Room = {
    state,
    start,
    run: (...args) => start(...args).finished,
    nodes: () =>
      runningNodes(readState(folder)).map((node) => Number(node.identity?.split(" ")[0])),
    folders: () => {
      const all = join(state, "rekindle");
      return existsSync(all) ? readdirSync(all) : [];
    },
  };
  onTestFinished(async () => {
    for (const child of started) child.kill("SIGKILL");
    await room.run("down");
    rmSync(state, { recursive: true, force: true });
  });
  return room;
}

/** Waits until the command has printed it. */
export const printed = (running: Running, text: string): Promise<string> =>
  until(`printing "${text}"`, running.output, (output) => output.includes(text), 60_000, String);

/** A zombie has ended; its parent has only not looked yet. */
export const isRunning = (pid: number): boolean => identifyProcess(pid) !== undefined;

/** Nothing is left: no process that was seen, no folder. */
export async function expectNothingLeft(room: Room, pids: readonly number[]): Promise<void> {
  await until(
    "the end of all nodes",
    () => pids.filter(isRunning),
    (alive) => alive.length === 0,
  );
  expect(room.folders()).toEqual([]);
}

/** An address of this machine that others can reach; undefined where it has none. */
export const outsideAddress = (): string | undefined =>
  Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find((one) => one.family === "IPv4" && !one.internal)?.address;

/** Nobody listens there. */
export async function expectRefused(address: Address): Promise<void> {
  const credentials = { user: undefined, password: undefined };
  const connecting = connect(address, { credentials, tls: undefined, deadlineMs: 2_000 });
  await expect(connecting).rejects.toMatchObject({ code: "ECONNREFUSED" });
}
