/** Starts nothing yet: members with their folders, addresses and commands, each to be started and ended by itself. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makePod, removePod, runInContainers } from "./containers.ts";
import type { Topology } from "./faults.ts";
import { openLoopback } from "./loopback.ts";
import { openNameServer } from "./name-server.ts";
import { hasNamespaces, openNamespaces } from "./namespaces.ts";
import { run, succeeds } from "./run-command.ts";
import { runAsProcesses } from "./runtime.ts";
import { type Ending, supervise } from "./supervised.ts";
import type { Host, World } from "./world.ts";

export interface WorldOptions {
  readonly topology: Topology;
  readonly persists: boolean;
  /** Logs and data. */
  readonly folder: string;
  /** For containers; without it members are processes. */
  readonly image?: string | undefined;
}

const opened = new Set<World>();

/** For whoever is told to end in the middle: nothing of it stays on the machine. */
export const closeWorlds = (): Promise<unknown> =>
  Promise.all([...opened].map((world) => world[Symbol.asyncDispose]()));

const nodeTimeoutMs = 3_000;
const diskSize = "128m";

export async function openWorld(options: WorldOptions): Promise<World> {
  const { topology, persists, folder, image } = options;
  const isRoot = await hasNamespaces();
  if (image !== undefined && !isRoot) throw new Error("containers need root, on Linux");
  const pods = image === undefined ? undefined : { make: makePod, remove: removePod, image };
  const network = isRoot ? await openNamespaces(pods) : openLoopback();
  const runtime =
    image === undefined
      ? runAsProcesses(network)
      : runInContainers(image, (name) => network.nameOf(name));
  const nameServer = isRoot ? await openNameServer(network.ownIp) : undefined;
  const [port, busPort, sentinelPort] = isRoot ? [6379, 16_379, 26_379] : [28_379, 29_379, 28_380];
  const endings: Ending[] = [];
  const unlisted = new Set<Host>();
  const plain = new Set<string>();
  mkdirSync(folder, { recursive: true });
  // As image/redis.conf, or as deployment/deployment.yaml, which keeps data in memory only.
  const keeping = persists ? "appendonly yes\nappendfsync everysec" : 'appendonly no\nsave ""';
  const common = ["--log-format", "json"];

  /** The member's own redis.conf. Where all share one network, each listens at its own address only. */
  function configure(name: string, file: string): void {
    const bind = nameServer ? "" : `bind ${network.addressOf(name)}\n`;
    const rest = "cluster-require-full-coverage no\nrepl-diskless-sync yes\n";
    writeFileSync(file, `${keeping}\n${bind}${rest}`);
    chmodSync(file, 0o644);
  }
  const listed = (hosts: readonly Host[]) => hosts.filter((host) => !unlisted.has(host));
  const endpoints = (hosts: readonly Host[], suffix: string) =>
    hosts.map(({ name }) => `${network.addressOf(name)}:${suffix}`).join(",");
  /** How everybody finds the others. */
  const peers = (): readonly string[] =>
    nameServer
      ? ["--dns", "redis-peers"]
      : ["--peers", endpoints(nodes, topology === "cluster" ? `${port}@${busPort}` : `${port}`)];
  const watchers = (): readonly string[] =>
    nameServer
      ? ["--sentinel-dns", "redis-sentinels"]
      : ["--sentinels", endpoints(sentinels, `${sentinelPort}`)];
  const ports = (): readonly string[] =>
    nameServer
      ? []
      : ["--port", `${port}`, ...(topology === "cluster" ? ["--bus-port", `${busPort}`] : [])];
  const timeout = ["--node-timeout", `${nodeTimeoutMs}ms`];

  function argumentsOf(name: string, seen: { dir: string; config: string }): readonly string[] {
    const own = ["--dir", seen.dir, "--address", network.addressOf(name), ...common];
    const node = ["--config", seen.config, "--peer-wait", "5s", ...peers(), ...ports(), ...own];
    if (topology === "cluster") return ["cluster", ...node, ...timeout];
    if (name.startsWith("n")) return ["replication", ...node, ...watchers()];
    const timers = ["--down-after", "2s", "--failover-timeout", "10s", "--peer-wait", "5s"];
    const at = nameServer
      ? []
      : ["--sentinel-port", `${sentinelPort}`, "--port", `${port}`, "--pod", name];
    return ["sentinel", ...timers, ...peers(), ...watchers(), ...at, ...own];
  }

  async function createHost(name: string, kind: Host["kind"]): Promise<Host> {
    await network.attach(name);
    const dir = join(folder, "data", name);
    mkdirSync(dir, { recursive: true });
    if (isRoot) await run("mount", ["-t", "tmpfs", "-o", `size=${diskSize}`, "tmpfs", dir]);
    await runtime.prepare(dir);
    const log = join(folder, `${name}.log`);
    const place = { name, dir, config: join(folder, `${name}.conf`) };
    const onEnd = (ending: Ending) => void endings.push(ending);
    const main = supervise(
      name,
      () => {
        configure(name, place.config);
        return plain.has(name)
          ? runtime.plain(place)
          : runtime.main(place, argumentsOf(name, runtime.seenFrom(place)));
      },
      log,
      onEnd,
      runtime,
    );
    const heals = ["sidecar", "--heal", "--interval", "10s", ...timeout, ...common];
    const healer =
      topology === "cluster"
        ? supervise(
            `${name} healer`,
            () =>
              runtime.healer(place, [
                ...[...heals, "--address", network.addressOf(name), ...peers(), ...ports()],
              ]),
            join(folder, `${name}.healer.log`),
            onEnd,
            runtime,
          )
        : undefined;
    return { name, kind, dir, main, healer };
  }
  const nodes: Host[] = [];
  const sentinels: Host[] = [];
  for (let i = 1; i <= (topology === "cluster" ? 6 : 3); i++)
    nodes.push(await createHost(`n${i}`, "node"));
  if (topology === "sentinel")
    for (let i = 1; i <= 3; i++) sentinels.push(await createHost(`s${i}`, "sentinel"));

  function publish(): void {
    const addressesOf = (hosts: readonly Host[]) =>
      listed(hosts).map(({ name }) => network.addressOf(name));
    nameServer?.set("redis-peers", addressesOf(nodes));
    nameServer?.set("redis-sentinels", addressesOf(sentinels));
  }
  publish();

  const world: World = {
    topology,
    nodes,
    sentinels,
    network,
    nameServer,
    port,
    sentinelPort,
    nodeTimeoutMs,
    endings,
    async drain({ name, dir }) {
      const place = { name, dir, config: join(folder, `${name}.conf`) };
      const at = ["--address", network.addressOf(name), "--port", `${port}`];
      const set = topology === "sentinel" ? watchers() : [];
      const more = ["--dir", runtime.seenFrom(place).dir, "--grace-period", "25s", ...common];
      const argv = runtime.drain(place, ["drain", ...at, ...set, ...more]);
      const log = openSync(join(folder, `${name}.log`), "a");
      const [file = "", ...args] = argv;
      const child = spawn(file, args, { stdio: ["ignore", log, log], timeout: 40_000 });
      const [code] = await once(child, "exit");
      return code ?? -1;
    },
    async change(host, { moves, isEmptied }) {
      if (isEmptied)
        for (const file of readdirSync(host.dir))
          rmSync(join(host.dir, file), { recursive: true, force: true });
      if (moves) await network.move(host.name);
      publish();
    },
    unlist(host) {
      unlisted.add(host);
      publish();
    },
    list(host) {
      unlisted.delete(host);
      publish();
    },
    startPlainly: ({ name }) => void plain.add(name),
    async [Symbol.asyncDispose]() {
      opened.delete(world);
      const all = [...nodes, ...sentinels];
      await Promise.all(
        all.flatMap(({ main, healer }) => [main.end("SIGKILL"), healer?.end("SIGKILL")]),
      );
      await nameServer?.[Symbol.asyncDispose]();
      if (isRoot) for (const { dir } of all) await succeeds("umount", ["-l", dir]);
      await network[Symbol.asyncDispose]();
    },
  };
  opened.add(world);
  return world;
}
