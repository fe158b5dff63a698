/**
 * Dashboard, alert rules and scrape configuration, on a cluster and a set that run: each figure that they name is really told,
 * no alert fires while all is well, and each fires when it should.
 */
import { type ChildProcess, spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/redis/connection.ts";
import {
  ask,
  bootAll,
  createNodes,
  executable,
  kill,
  type NodeGroup,
  type NodeUnderTest,
  peersOf,
  shardsOf,
  untilWhole,
} from "./nodes-under-test.ts";
import {
  asKubernetesTellsIt,
  hasTools,
  openProcesses,
  type Processes,
  type Prometheus,
  promtool,
  readPanels,
  readRules,
  startExporter,
  startPrometheus,
  type Target,
  writeConfiguration,
} from "./prometheus-under-test.ts";
import { createSet, type SetUnderTest, untilSetWhole } from "./sets-under-test.ts";
import { until } from "./until.ts";

const password = "figures";
const exporterPort = (node: NodeUnderTest): number => node.port + 100;
const sidecarPort = (node: NodeUnderTest): number => node.port + 200;

let cluster: NodeGroup;
let set: SetUnderTest;
let processes: Processes;
let prometheus: Prometheus;
const exporters = new Map<NodeUnderTest, ChildProcess>();
const sidecars = new Map<NodeUnderTest, ChildProcess>();

const drain = (node: NodeUnderTest, grace: string): number | null =>
  spawnSync(executable, [
    ...["drain", "--port", `${node.port}`, "--dir", node.dir, "--grace-period", grace],
  ]).status;

/** As the component has it: it heals, and what the exporter says goes through it. */
function startSidecar(node: NodeUnderTest, ...more: readonly string[]): void {
  const sidecar = processes.start(executable, [
    ...["sidecar", "--metrics", `127.0.0.1:${sidecarPort(node)}`, "--dir", node.dir],
    ...["--exporter", `http://127.0.0.1:${exporterPort(node)}/metrics`, "--log-level", "error"],
    ...more,
  ]);
  sidecars.set(node, sidecar);
}

const store = () => join(processes.folder, "store");

const isFiring = (alert: string) => {
  seen.add(alert);
  return until(`the alert ${alert}`, prometheus.firing, (names) => names.includes(alert), 30_000);
};
const seen = new Set<string>();

/** Has a Sentinel watch this node, whatever the others watch. */
const watch = (sentinel: NodeUnderTest, { port }: NodeUnderTest) =>
  say(
    sentinel,
    "SENTINEL REMOVE mymaster",
    `SENTINEL MONITOR mymaster 127.0.0.1 ${port} 2`,
    "SENTINEL SET mymaster down-after-milliseconds 1000",
  );

const say = (node: NodeUnderTest, ...commands: readonly string[]) =>
  ask(
    node,
    commands.map((one) => one.split(" ")),
    set.access,
  );

describe.skipIf(!hasTools)("metrics", () => {
  beforeAll(async () => {
    processes = openProcesses();
    cluster = createNodes(21_100, 6);
    set = createSet(21_120, { password });
    const config = join(processes.folder, "redis.conf");
    writeFileSync(config, "maxmemory 100mb\n");
    bootAll(cluster.nodes, { flags: ["--config", config] });
    set.bootAll();
    await Promise.all([untilWhole(cluster.nodes), untilSetWhole(set)]);
    for (const node of cluster.nodes)
      exporters.set(
        node,
        startExporter(processes, { port: exporterPort(node), redisPort: node.port }),
      );
    for (const node of [...set.nodes, ...set.sentinels])
      startExporter(processes, { port: exporterPort(node), redisPort: node.port, password });
    const heal = ["--heal", "--interval", "2s", "--peers", peersOf(cluster.nodes)];
    const [first] = cluster.nodes as [NodeUnderTest];
    startSidecar(first, ...heal, "--port", `${first.port}`);
    for (const node of cluster.nodes.slice(1)) startSidecar(node);
    const passwordFile = join(processes.folder, "password");
    writeFileSync(passwordFile, password);
    const backup = [
      "--backup",
      `file://${store()}`,
      "--every",
      "5s",
      "--keep-last",
      "2",
      "--continuous",
    ];
    for (const node of set.nodes)
      startSidecar(
        node,
        ...backup,
        ...["--reload", "--interval", "1s"],
        ...["--port", `${node.port}`, "--password-file", passwordFile],
      );
    prometheus = await startPrometheus(processes, 21_399, targets());
  });
  afterAll(async () => {
    processes?.[Symbol.dispose]();
    await cluster?.[Symbol.asyncDispose]();
    await set?.[Symbol.asyncDispose]();
  });

  const targets = (): readonly Target[] => [
    ...cluster.nodes.map((node) => target(node, "cluster", sidecarPort(node))),
    ...set.nodes.map((node) => target(node, "set", sidecarPort(node))),
    ...set.sentinels.map((node) => ({
      ...target(node, "set", exporterPort(node)),
      job: "redis-sentinel" as const,
    })),
  ];
  const target = ({ name }: NodeUnderTest, app: string, port: number): Target => ({
    ...{ job: "redis", pod: `${app}-${name.slice(1)}`, app, port },
  });

  test("promtool finds nothing wrong in the rules and in the scrape configuration", () => {
    const path = writeConfiguration(processes.folder, targets().map(asKubernetesTellsIt));
    expect(promtool(["check", "config", path])).toMatch(/SUCCESS[\s\S]*SUCCESS: \d+ rules found/);
  });

  test("promtool finds nothing wrong in what Rekindle serves", async () => {
    const [node] = cluster.nodes as [NodeUnderTest];
    const response = await fetch(`http://127.0.0.1:${sidecarPort(node)}/metrics`);
    const text = await response.text();
    expect(text).toMatch(/^redis_up 1$/m);
    const own = text.split("\n").filter((line) => /^(# \w+ )?rekindle_/.test(line));
    expect(promtool(["check", "metrics"], `${own.join("\n")}\n`)).toBe("");
  });

  test("what Rekindle did is told: boots, a hand-over, what the healer mended, and how long each took", async () => {
    const [shard] = await shardsOf(cluster.nodes);
    expect(drain(shard?.alpha as NodeUnderTest, "25s")).toBe(0);
    const { alpha } = await untilSetWhole(set);
    expect(await set.drain(alpha, "--dir", alpha.dir)).toMatchObject({ exitCode: 0 });
    // The others have forgotten a node that still runs; the healer brings it back.
    await untilWhole(cluster.nodes, 60_000);
    const figure = (name: string) =>
      until(
        name,
        async () => Number((await prometheus.query(`sum(${name})`))[0]?.value[1] ?? 0),
        (value) => value > 0,
      );
    await figure('rekindle_boot_duration_seconds_count{verb="replication",outcome="server"}');
    await figure('rekindle_boot_duration_seconds_sum{verb="cluster",outcome="server"}');
    for (const app of ["cluster", "set"])
      await figure(`rekindle_hand_over_duration_seconds_sum{app="${app}",outcome="done"}`);
    await figure('rekindle_heal_duration_seconds_sum{verb="sidecar"}');
    await figure('rekindle_reports_total{verb="cluster",report="Founded"}');
  });

  test("every figure that the dashboard and the alerts name is told by the exporter or by Rekindle", async () => {
    // An error of some kind: kinds that never were are not told of.
    await ask(cluster.nodes[0] as NodeUnderTest, [["NO-SUCH-COMMAND"]]);
    const expressions = [...readRules(), ...readPanels().flatMap(({ targets = [] }) => targets)];
    const names = new Set(
      expressions.flatMap(({ expr }) => expr.match(/\b(redis|rekindle)_[a-z_]+/g) ?? []),
    );
    for (const label of ["redis_mode"]) names.delete(label);
    expect(names.size).toBeGreaterThan(50);
    await until(
      "each of them",
      async () => {
        const told = await prometheus.query(
          'count by (__name__) ({__name__=~"(redis|rekindle)_.*"})',
        );
        const known = new Set(told.map(({ metric }) => metric.__name__));
        return [...names].filter((name) => !known.has(name));
      },
      (missing) => missing.length === 0,
      10_000,
    );
  });

  test("every panel of the dashboard shows something, for a cluster or for a set, and none lies over another", async () => {
    const panels = readPanels();
    const empty = async () => {
      const found: string[] = [];
      for (const { title, targets = [] } of panels)
        for (const { expr } of targets)
          if (
            (await Promise.all(["cluster", "set"].map((app) => show(expr, app)))).every(
              (n) => n === 0,
            )
          )
            found.push(`${title}: ${expr}`);
      return found;
    };
    await until("figures in all panels", empty, (titles) => titles.length === 0, 20_000);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
  });

  const show = async (expr: string, app: string): Promise<number> => {
    const variables = { $namespace: "test", $app: app, $pod: ".*", $__rate_interval: "10s" };
    const query = Object.entries(variables).reduce(
      (text, [name, value]) => text.replaceAll(name, value),
      expr,
    );
    return (await prometheus.query(query)).length;
  };

  test("no alert fires while all is well", async () => {
    await untilWhole(cluster.nodes);
    await untilSetWhole(set);
    // What was there while they became whole may stay for a round of the rules; then four seconds without any.
    const since = Date.now();
    await until("five seconds of rules", prometheus.evaluatedAt, (at) => at > since + 5_000);
    const lately = () => prometheus.query("max_over_time(ALERTS[4s])");
    await until("four seconds without an alert", lately, (alerts) => alerts.length === 0);
  });

  test("the alerts for a cluster, and for snapshots without a store, fire when it is so", async () => {
    rmSync(store(), { recursive: true });
    writeFileSync(store(), "");
    const { alpha } = await untilSetWhole(set);
    await say(alpha, "SET written 1");
    const [first, second, third] = await shardsOf(cluster.nodes);
    if (!first || !second || !third) throw new Error("there are no three shards");
    const [mute, lost, other] = [first, second, third].map(
      ({ betas }) => betas[0] as NodeUnderTest,
    );
    if (!mute || !lost || !other) throw new Error("a shard has no beta");
    const id = String((await ask(other, [["CLUSTER", "MYID"]]))[0]);
    await ask(first.alpha, [["CLUSTER", "FORGET", id]]);
    await isFiring("RedisClusterTablesDiffer");
    mute.process?.kill("SIGSTOP");
    await kill(lost);
    await isFiring("RedisDown");
    await isFiring("RedisAlphaWithoutBeta");
    expect(drain(second.alpha, "6s")).toBe(75);
    await isFiring("RekindleHandOverFailed");
    await isFiring("RedisReplicationLag");
    await kill(second.alpha);
    await isFiring("RedisClusterSlotsNotCovered");
    await isFiring("RedisClusterNotOk");
    exporters.get(other)?.kill("SIGKILL");
    await isFiring("RekindleExporterDown");
    await isFiring("RekindleBackupFails");
    await isFiring("RekindleBackupTooOld");
    await isFiring("RekindleBackupStreamBehind");
    mute.process?.kill("SIGKILL");
  });

  test("an alert fires when a node does not get to its server", async () => {
    const node = cluster.nodes.find((one) => one.process?.exitCode === null && !one.process.killed);
    const { dir } = node as NodeUnderTest;
    const args = ["cluster", "--peers", peersOf(cluster.nodes), "--port", "21150", "--dir", dir];
    const counted = async () =>
      (await prometheus.query('rekindle_boot_duration_seconds_count{outcome="configuration"}'))
        .length;
    expect(spawnSync(executable, args).status).toBe(78);
    await until("the first of them", counted, (count) => count > 0);
    for (let again = 0; again < 2; again++) spawnSync(executable, args);
    await isFiring("RekindleBootsFail");
  });

  test("the alerts for a redis.conf fire: one that is not valid, one that waits for a restart, one that is not followed", async () => {
    const { alpha } = await untilSetWhole(set);
    const config = join(set.group.root, "redis.conf");
    const before = readFileSync(config, "utf8");
    writeFileSync(config, `${before}tcp-backlog 600\n`);
    await isFiring("RekindleRestartPending");
    await say(alpha, "CONFIG SET timeout 1000");
    await isFiring("RekindleConfigurationDrifts");
    writeFileSync(config, "nonsense\n");
    await isFiring("RekindleReloadRefused");
    writeFileSync(config, before);
    await say(alpha, "CONFIG SET timeout 0");
    await until(
      "no alert of it",
      prometheus.firing,
      (names) => !names.some((one) => /Reload|Drifts|RestartPending/.test(one)),
    );
  });

  test("the alerts for a full memory, clients that are turned away and a disk that fails fire when it is so", async () => {
    const { alpha, betas } = await untilSetWhole(set);
    const beta = betas[0] as NodeUnderTest;
    const fill = Array.from({ length: 500 }, (_, key) => `SET fill:${key} ${"x".repeat(1_000)}`);
    await say(alpha, ...fill);
    const [memory] = await say(alpha, "INFO memory");
    const used = Number(/used_memory:(\d+)/.exec(String(memory))?.[1]);
    await say(alpha, "CONFIG SET maxmemory-policy allkeys-random", `CONFIG SET maxmemory ${used}`);
    await isFiring("RedisMemoryNearLimit");
    await say(alpha, ...fill.map((one) => one.replace("fill", "more")));
    await isFiring("RedisEvictsKeys");
    await say(alpha, "CONFIG SET maxmemory-policy noeviction", "CONFIG SET maxmemory 1");
    const refused = async () => {
      await say(alpha, "SET one more");
      return prometheus.firing();
    };
    await until("RedisRefusesWrites", refused, (names) => names.includes("RedisRefusesWrites"));
    seen.add("RedisRefusesWrites");
    await say(alpha, "CONFIG SET maxmemory 0");
    const address = { ip: "127.0.0.1", port: alpha.port, busPort: 0 };
    const credentials = { user: undefined, password: Buffer.from(password) };
    const held = await connect(address, { credentials, tls: undefined, deadlineMs: 5_000 });
    await held.send([["CONFIG", "SET", "maxclients", 1]]);
    const turnedAway = async () => String(await held.send([["INFO", "stats"]]));
    // Prometheus comes by each second.
    await until("clients turned away", turnedAway, (info) =>
      /rejected_connections:[1-9]/.test(info),
    );
    await held.send([["CONFIG", "SET", "maxclients", 1_000]]);
    held.close();
    await isFiring("RedisRejectsConnections");
    await say(beta, "CONFIG SET appendonly yes");
    await until(
      "the first file",
      () => say(beta, "INFO persistence"),
      ([info]) => /aof_rewrite_in_progress:0/.test(String(info)),
    );
    rmSync(beta.dir, { recursive: true });
    await say(beta, "BGREWRITEAOF");
    await isFiring("RedisAppendOnlyFileFails");
    await say(beta, "BGSAVE");
    await isFiring("RedisSnapshotFails");
  });

  test("alerts fire for a server that is started again and again, and for figures that are missing", async () => {
    const { betas } = await untilSetWhole(set);
    const node = betas[1] as NodeUnderTest;
    const pod = `set-${node.name.slice(1)}`;
    const uptime = async () =>
      Number(
        (await prometheus.query(`redis_uptime_in_seconds{job="redis",pod="${pod}"}`))[0]
          ?.value[1] ?? 0,
      );
    for (let again = 0; again < 3; again++) {
      const before = await until("an uptime that can fall", uptime, (seconds) => seconds >= 3);
      await kill(node);
      set.bootNode(node);
      await until("the new server", uptime, (seconds) => seconds > 0 && seconds < before);
    }
    await isFiring("RedisRestartsOften");
    sidecars.get(node)?.kill("SIGKILL");
    await isFiring("RedisExporterDown");
  });

  test("the alerts for a set fire when it is so", async () => {
    const { alpha, betas } = await untilSetWhole(set);
    const [one, two] = betas as [NodeUnderTest, NodeUnderTest];
    await say(one, "REPLICAOF NO ONE");
    await isFiring("RedisSetWithTwoAlphas");
    await say(two, "REPLICAOF 127.0.0.1 1");
    await isFiring("RedisBetaLinkDown");
    // Each by itself, and without the password: they learn nothing of each other any more.
    const [first, ...others] = set.sentinels as [NodeUnderTest, ...NodeUnderTest[]];
    for (const sentinel of others) await watch(sentinel, alpha);
    await watch(first, one);
    await isFiring("SentinelsDisagree");
    await isFiring("SentinelNoQuorum");
    for (const beta of betas) await say(beta, `REPLICAOF 127.0.0.1 ${alpha.port}`);
    await kill(alpha);
    await isFiring("RedisSetWithoutAlpha");
    await isFiring("SentinelSeesAlphaDown");
  });

  test("every alert was seen to fire", () => {
    expect([...seen].sort()).toEqual(
      readRules()
        .map(({ alert }) => alert)
        .sort(),
    );
  });
});
