/**
 * Servers and stores for the tests of snapshots: plain ones, and what is brought back by nothing but a server and its files.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { parseInfo } from "../../src/redis/info.ts";
import {
  type Manifest,
  parseManifest,
  readSegmentName,
  type Segment,
} from "../../src/snapshots/manifest.ts";
import { ask, server } from "./nodes-under-test.ts";
import { until } from "./until.ts";

export interface ServerUnderTest {
  readonly port: number;
  readonly dir: string;
  readonly process: ChildProcess;
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "rekindle-backup-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** It is gone when this returns. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const isGone = once(child, "exit");
  child.kill("SIGKILL");
  await isGone;
}

/** Answers when this returns, and ends with the test. */
export async function startServer(
  port: number,
  args: readonly string[] = [],
  dir = makeFolder(),
): Promise<ServerUnderTest> {
  const base = [
    "--port",
    `${port}`,
    "--dir",
    dir,
    "--save",
    "",
    "--repl-diskless-sync-delay",
    "0",
    "--enable-debug-command",
    "yes",
  ];
  const child = spawn(server, [...base, ...args], { stdio: "ignore" });
  // The next test may take its port.
  onTestFinished(() => end(child));
  await until(
    `an answer at ${port}`,
    () => ask({ port }, [["PING"]]).catch((thrown: Error) => [thrown.message]),
    ([reply]) => /PONG|NOAUTH/.test(String(reply)),
  );
  return { port, dir, process: child };
}

/** A beta that is in sync. */
export async function startBeta(
  port: number,
  alpha: ServerUnderTest,
  args: readonly string[] = [],
): Promise<ServerUnderTest> {
  const beta = await startServer(port, ["--replicaof", `127.0.0.1 ${alpha.port}`, ...args]);
  await until(
    "a beta in sync",
    async () =>
      parseInfo(String((await ask(beta, [["INFO", "replication"]]))[0])).get("master_link_status"),
    (link) => link === "up",
  );
  return beta;
}

/** What all databases hold, as one number. */
export const digestOf = async (node: { readonly port: number }): Promise<string> =>
  String((await ask(node, [["DEBUG", "DIGEST"]]))[0]);

export interface StoreUnderTest {
  readonly folder: string;
  readonly url: string;
  /** Relative to the folder, in order; temporary ones too. */
  files(): readonly string[];
  manifests(): readonly Manifest[];
  segments(stream?: string): readonly Segment[];
  /** The bytes of a segment of it. */
  read(name: string): Buffer;
}

export function openFolder(): StoreUnderTest {
  const folder = makeFolder();
  const files = () =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort();
  return {
    folder,
    url: `file://${folder}`,
    files,
    manifests: () =>
      files()
        .filter((name) => name.endsWith("/manifest.json"))
        .map((name) => parseManifest(readFileSync(join(folder, name), "utf8"), name)),
    segments: (stream) =>
      files()
        .map(readSegmentName)
        .filter((one) => one !== undefined)
        .filter((one) => stream === undefined || one.stream === stream),
    read: (name) => readFileSync(join(folder, name)),
  };
}

/** A server that loads one shard of a snapshot, as a person would have it do without us. */
export function startFrom(
  port: number,
  store: StoreUnderTest,
  { id }: Manifest,
  file = "0.rdb",
): Promise<ServerUnderTest> {
  const dir = makeFolder();
  copyFileSync(join(store.folder, "snapshots", id, file), join(dir, "dump.rdb"));
  return startServer(port, [], dir);
}

/** The same, and then what its stream holds, as the append-only file of Redis 7.0. */
export function startFromStream(
  port: number,
  store: StoreUnderTest,
  { id, shards: [shard] }: Manifest,
): Promise<ServerUnderTest> {
  const dir = makeFolder();
  const aof = join(dir, "appendonlydir");
  mkdirSync(aof);
  const names = store.files().filter((name) => {
    const segment = readSegmentName(name);
    return segment?.stream === shard?.stream && (segment?.from ?? 0) >= (shard?.offset ?? 0);
  });
  copyFileSync(
    join(store.folder, "snapshots", id, "0.rdb"),
    join(aof, "appendonly.aof.1.base.rdb"),
  );
  names.forEach((name, index) => {
    copyFileSync(join(store.folder, name), join(aof, `appendonly.aof.${index + 1}.incr.aof`));
  });
  const lines = names.map(
    (_, index) => `file appendonly.aof.${index + 1}.incr.aof seq ${index + 1} type i\n`,
  );
  writeFileSync(
    join(aof, "appendonly.aof.manifest"),
    `file appendonly.aof.1.base.rdb seq 1 type b\n${lines.join("")}`,
  );
  return startServer(port, ["--appendonly", "yes"], dir);
}
