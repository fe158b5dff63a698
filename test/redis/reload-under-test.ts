/**
 * One node with a redis.conf of its own that changes, and the reload beside it.
 */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { readIfThere } from "../../src/files.ts";
import type { Command, Reply } from "../../src/redis/resp.ts";
import { type Finished, openRoom, type Running } from "./commands-under-test.ts";
import {
  type AskOptions,
  ask,
  createNodes,
  launch,
  type NodeUnderTest,
  server,
} from "./nodes-under-test.ts";
import { until } from "./until.ts";

export interface ReloadUnderTest {
  readonly node: NodeUnderTest;
  readonly folder: string;
  /** Writes the redis.conf as an editor does. */
  write(...lines: readonly string[]): void;
  say(...commands: readonly string[]): Promise<readonly Reply[]>;
  ask(commands: readonly Command[], access?: AskOptions): Promise<readonly Reply[]>;
  setting(name: string): Promise<string>;
  untilSetting(name: string, value: string, withinMs?: number): Promise<string>;
  /** `rekindle reload`, once. */
  reload(...more: readonly string[]): Promise<Finished>;
  /** `rekindle sidecar --reload`, once it has had its first look. */
  watch(...more: readonly string[]): Promise<Running>;
}

export interface NodeOptions {
  readonly lines?: readonly string[];
  readonly password?: string;
  readonly flags?: readonly string[];
  readonly access?: AskOptions;
}

/** The redis.conf lies in a folder of its own, or in one that is swapped as a whole where `swap` is used. */
export async function startNode(port: number, options: NodeOptions = {}): Promise<ReloadUnderTest> {
  const group = createNodes(port, 1);
  onTestFinished(() => group[Symbol.asyncDispose]());
  const [node] = group.nodes as [NodeUnderTest];
  const folder = join(group.root, "config");
  mkdirSync(folder);
  const config = join(folder, "redis.conf");
  const write = (...lines: readonly string[]) => writeFileSync(config, `${lines.join("\n")}\n`);
  write(...(options.lines ?? ['save ""']));
  const secret: string[] = [];
  if (options.password !== undefined) {
    writeFileSync(join(folder, "password"), options.password);
    secret.push("--password-file", join(folder, "password"));
  }
  const access: AskOptions = {
    ...(options.password !== undefined && { password: Buffer.from(options.password) }),
    ...options.access,
  };
  const own = ["--dir", node.dir, "--port", `${port}`, "--log-format", "json", ...secret];
  launch(node, [
    ...["replication", "--nodes", "1", "--peers", `127.0.0.1:${port}`, "--config", config],
    ...["--server", server, "--peer-wait", "1s", ...own, ...(options.flags ?? [])],
  ]);
  const asking = (commands: readonly Command[], other = access) => ask(node, commands, other);
  await until(
    "the server",
    () => asking([["PING"]]).catch(() => undefined),
    (reply) => reply?.[0] === "PONG",
  );
  const setting = async (name: string): Promise<string> => {
    const [reply] = await asking([["CONFIG", "GET", name]]);
    return String((reply as readonly Reply[])[1]);
  };
  const room = openRoom();
  return {
    node,
    folder,
    write,
    ask: asking,
    say: (...commands) => asking(commands.map((one) => one.split(" "))),
    setting,
    untilSetting: (name, value, withinMs = 10_000) =>
      until(
        name,
        () => setting(name),
        (seen) => seen === value,
        withinMs,
      ),
    reload: (...more) => room.run("reload", "--server", server, ...own, ...more),
    async watch(...more) {
      const flags = ["--reload", "--server", server, "--interval", "1s", ...own, ...more];
      const sidecar = room.start("sidecar", ...flags);
      await until(
        "the first look",
        () => figure(node, "rekindle_reload_invalid"),
        (value) => value !== undefined,
        20_000,
        () => sidecar.output(),
      );
      return sidecar;
    },
  };
}

/** What the sidecar has counted; undefined where it has not. */
export function figure({ dir }: NodeUnderTest, series: string): number | undefined {
  const text = readIfThere(join(dir, "rekindle-sidecar.prom")) ?? "";
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.split(" ")[1]);
}

/** A folder as the kubelet makes it of a ConfigMap: files are links into one that is swapped by a rename. */
export function mountConfigMap(folder: string, files: Readonly<Record<string, string>>): void {
  const version = `..${process.hrtime.bigint()}`;
  mkdirSync(join(folder, version));
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, version, name), text);
    const link = join(folder, name);
    rmSync(link, { force: true });
    symlinkSync(join("..data", name), link);
  }
  symlinkSync(version, join(folder, "..data_tmp"));
  renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
}
