/** The replication stream of every server version: a snapshot, and what is written after it, brought back by the same version. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
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
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";
import { describe, expect, inject, test } from "vitest";
import { executable } from "../redis/nodes-under-test.ts";
import { until } from "../redis/until.ts";
import { cli } from "./containers-under-test.ts";

const images = inject("images");

/** The server itself, without Rekindle, on a copy of the folder. */
function startServer(image: string, folder: string, ...more: string[]) {
  const debug = image.endsWith("redis6.0") ? [] : ["--enable-debug-command", "yes"];
  const flags = ["--protected-mode", "no", "--save", "", "--repl-diskless-sync-delay", "0"];
  const find = "s=redis-server; command -v $s >/dev/null || s=valkey-server;";
  const script = `cp -r /given/. /data; cd /data; ${find} exec $s "$@"`;
  return new GenericContainer(image)
    .withEntrypoint(["sh", "-c", script, "sh"])
    .withCommand([...flags, ...debug, ...more])
    .withBindMounts([{ source: folder, target: "/given", mode: "ro" }])
    .withWaitStrategy(Wait.forLogMessage(/eady to accept connections/))
    .start();
}

const digestOf = (container: StartedTestContainer) => cli(container, "debug", "digest");

/** What a person would make of the store: an append-only file that begins with the snapshot; before 7.0 it is one file. */
function prepare(store: string, folder: string, isOneFile: boolean): void {
  const [id = ""] = readdirSync(join(store, "snapshots"));
  const [stream = ""] = readdirSync(join(store, "stream"));
  const rdb = join(store, "snapshots", id, "0.rdb");
  const segments = readdirSync(join(store, "stream", stream)).sort();
  const content = Buffer.concat(
    segments.map((name) => readFileSync(join(store, "stream", stream, name))),
  );
  if (isOneFile) {
    const file = join(folder, "appendonly.aof");
    copyFileSync(rdb, file);
    appendFileSync(file, content.toString("latin1").replace(/^#TS:\d+\r\n/gm, ""), "latin1");
    chmodSync(file, 0o644);
    return;
  }
  const aof = join(folder, "appendonlydir");
  mkdirSync(aof);
  copyFileSync(rdb, join(aof, "appendonly.aof.1.base.rdb"));
  writeFileSync(join(aof, "appendonly.aof.1.incr.aof"), content);
  const parts = ["base.rdb seq 1 type b", "incr.aof seq 1 type i"];
  const lines = parts.map((part) => `file appendonly.aof.1.${part}\n`);
  writeFileSync(join(aof, "appendonly.aof.manifest"), lines.join(""));
  for (const name of readdirSync(aof)) chmodSync(join(aof, name), 0o644);
}

describe.skipIf(images.length === 0).each(images.length > 0 ? images : ["no image"])(
  "%s",
  (image) => {
    test.concurrent.each(["yes", "no"])(
      "a snapshot and the stream after it come back, repl-diskless-sync %s",
      async (diskless) => {
        const root = mkdtempSync(join(tmpdir(), "rekindle-backup-"));
        const [empty, store, given] = ["empty", "store", "given"].map((name) =>
          join(root, name),
        ) as [string, string, string];
        for (const folder of [root, empty, given]) {
          mkdirSync(folder, { recursive: true });
          chmodSync(folder, 0o755);
        }
        const server = await startServer(image, empty, "--repl-diskless-sync", diskless);
        const containers = [server];
        try {
          await cli(server, "-n", "2", "set", "before", "1");
          await cli(server, "hset", "hash", "field", "value", "other", "value");
          // Of the versions that have it; it is a type of its own in the file.
          await cli(server, "hexpire", "hash", "100000", "fields", "1", "field");
          await cli(server, "xadd", "stream", "1-1", "field", "value");
          const to = ["--to", `file://${store}`, "--every", "1d", "--continuous"];
          const from = ["--connect", `${server.getIpAddress("bridge")}:6379`];
          const backup = spawn(executable, ["backup", ...to, ...from, "--log-format", "json"]);
          let output = "";
          backup.stdout.on("data", (bytes: Buffer) => {
            output += bytes.toString();
          });
          await until(
            "a snapshot",
            () => output,
            (text) => text.includes("is in file:"),
            30_000,
            String,
          );
          await cli(server, "-n", "2", "incr", "before");
          await cli(server, "eval", "redis.call('set', 'a', '1') redis.call('set', 'b', '2')", "0");
          await cli(server, "xadd", "stream", "1-2", "field", "value");
          await until(
            "its acknowledgement",
            () => cli(server, "info", "replication"),
            (info) => {
              const at = /master_repl_offset:(\d+)/.exec(info)?.[1];
              return info.includes(`state=online,offset=${at},`);
            },
          );
          backup.kill("SIGTERM");
          await once(backup, "exit");
          prepare(store, given, image.endsWith("redis6.0"));
          const restored = await startServer(image, given, "--appendonly", "yes");
          containers.push(restored);
          expect(await digestOf(restored)).toBe(await digestOf(server));
          expect(await cli(restored, "-n", "2", "get", "before")).toBe("2");
        } finally {
          await Promise.all(containers.map((one) => one.stop()));
          rmSync(root, { recursive: true, force: true });
        }
      },
    );
  },
);
