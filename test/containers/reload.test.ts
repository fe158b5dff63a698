/** A changed redis.conf on every server version: what they tell of themselves and take while they run differs. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { until } from "../redis/until.ts";
import { cli, createGroup } from "./containers-under-test.ts";

const images = inject("images");

describe.skipIf(images.length === 0).concurrent("a changed redis.conf", () => {
  test.each(images.length > 0 ? images : ["no image"])(
    "%s: what the file changes is applied, all of it or nothing",
    async (image) => {
      const folder = mkdtempSync(join(tmpdir(), "rekindle-reload-"));
      const write = (...lines: string[]) =>
        writeFileSync(join(folder, "redis.conf"), ['save ""', ...lines, ""].join("\n"));
      chmodSync(folder, 0o755);
      write("maxmemory 5mb", "user alice on >one ~* +get");
      const settings = { REKINDLE_CONFIG: "/given/redis.conf", REKINDLE_LOG_FORMAT: "json" };
      await using group = await createGroup(image, folder);
      const node = await group.start(settings, [
        "replication",
        "--dns",
        "redis-peers",
        "--nodes",
        "1",
        "--peer-wait",
        "1s",
      ]);
      await until(
        "the server",
        () => cli(node, "ping"),
        (said) => said === "PONG",
      );
      const reload = async (...more: string[]) => {
        const { output, exitCode } = await node.exec(["rekindle", "reload", ...more]);
        return { output, exitCode };
      };
      const setting = async (name: string) =>
        (await cli(node, "config", "get", name)).split("\n")[1] ?? "";
      // Server against server: one that has just started differs in nothing.
      expect((await reload("--dry-run")).output).toBe("the server is as the file wants it\n");

      write(
        "maxmemory 6mb",
        "timeout 7",
        "client-output-buffer-limit pubsub 16mb 4mb 30",
        "user bob on >two ~* +set",
      );
      const applied = await reload();
      expect(applied.exitCode, applied.output).toBe(0);
      expect([await setting("maxmemory"), await setting("timeout")]).toEqual(["6291456", "7"]);
      expect((await cli(node, "acl", "users")).split("\n")).toEqual(["bob", "default"]);

      // Where an append-only file would go: as a file, or as a folder before 7.0.
      await node.exec(["sh", "-c", "touch /data/appendonlydir; mkdir /data/appendonly.aof"]);
      write("activerehashing no", "appendonly yes", "timeout 8");
      const refused = await reload();
      expect(refused.exitCode, refused.output).toBe(75);
      expect(refused.output).toMatch(/does not take .*appendonly.*AOF/);
      const left = await Promise.all(
        ["activerehashing", "maxmemory", "timeout", "appendonly"].map(setting),
      );
      expect(left).toEqual(["yes", "6291456", "7", "no"]);

      write("databases 17", "tcp-backlog 600");
      expect((await reload("--dry-run")).output).toMatch(
        /^databases .* restart\ntcp-backlog .* restart$/m,
      );
      write("a-word-of-2030 yes");
      const invalid = await reload();
      expect(invalid.exitCode).toBe(65);
      expect(invalid.output).toMatch(/a-word-of-2030 yes.*(Bad directive|aborting)/);
      rmSync(folder, { recursive: true });
    },
  );
});

test.skipIf(images.length < 2)(
  "a reload in a container of another server version refuses, with both versions",
  async () => {
    const [image = "", other = ""] = images;
    await using group = await createGroup(image);
    const node = await group.start({}, [
      ...["replication", "--dns", "redis-peers", "--nodes", "1", "--peer-wait", "1s"],
    ]);
    await until(
      "the server",
      () => cli(node, "ping"),
      (said) => said === "PONG",
    );
    const version = /redis_version:([\d.]+)/.exec(await cli(node, "info", "server"))?.[1];
    // Beside the server as a sidecar is: its network, its data folder.
    const beside = ["--network", `container:${node.getId()}`, "--volumes-from", node.getId()];
    const { status, stdout, stderr } = spawnSync(
      "docker",
      ["run", "--rm", ...beside, other, "reload"],
      { encoding: "utf8" },
    );
    expect(stdout + stderr).toMatch(
      new RegExp(`the server that runs is version ${version}, and the one at hand is [\\d.]+`),
    );
    expect(status).toBe(78);
  },
);
