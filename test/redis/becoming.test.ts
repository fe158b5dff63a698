import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  ask,
  boot,
  bootAll,
  createNodes,
  executable,
  exitOf,
  kill,
  read,
  server,
  untilWhole,
} from "./nodes-under-test.ts";
import { until } from "./until.ts";

test("the process becomes the server: same process id, no Node and no child left, no descriptor of ours", async () => {
  await using group = createNodes(22400, 3);
  bootAll(group.nodes, { nodes: 3, replicas: 0 });
  await untilWhole(group.nodes);
  for (const { process } of group.nodes) {
    const pid = process?.pid;
    expect(readlinkSync(`/proc/${pid}/exe`)).not.toMatch(/node|rekindle/);
    expect(readFileSync(`/proc/${pid}/comm`, "utf8")).not.toMatch(/node|rekindle/);
    expect(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")).toBe("");
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    expect(open.filter((target) => target.includes("rekindle"))).toEqual(
      open.filter((target) => target.includes("nodes.conf")),
    );
  }
});

test("a reader that is slow loses no line of the server's log: the pipe is blocking again", async () => {
  await using group = createNodes(22410, 1);
  const [node] = group.nodes;
  if (node === undefined) throw new Error("no node");
  const flags = [
    "--peers",
    "127.0.0.1:22410,127.0.0.1:22411,127.0.0.1:22412",
    "--nodes",
    "3",
    "--replicas",
    "0",
  ];
  // Through a shell's pipe that is made non-blocking by a Node process in front.
  const script = `require('node:child_process').spawn(process.argv[1], process.argv.slice(2), { stdio: ['ignore', 1, 1] }); process.stdout.write('')`;
  const child = spawn(
    process.execPath,
    [
      "-e",
      script,
      executable,
      "cluster",
      ...flags,
      "--port",
      `${node.port}`,
      "--dir",
      node.dir,
      "--server",
      server,
    ],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  await until(
    "a server",
    () => ask(node, [["PING"]]).catch(() => []),
    (replies) => replies[0] === "PONG",
  );
  const pid = Number(
    /process_id:(\d+)/.exec(String((await ask(node, [["INFO", "server"]]))[0]))?.[1],
  );
  const flagsOfStdout =
    /flags:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/fdinfo/1`, "utf8"))?.[1] ?? "";
  expect(Number.parseInt(flagsOfStdout, 8) & 0o4000).toBe(0);
  process.kill(pid, "SIGKILL");
  child.stdout.resume();
});

test("SIGTERM while it waits ends it with 143, SIGINT with 130, and nothing is written", async () => {
  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    await using group = createNodes(22420, 6);
    const last = group.nodes[5];
    if (last === undefined) throw new Error("no node");
    boot(last, group.nodes);
    await until(
      "it waits",
      () => last.output,
      (output) => output.includes('"event":"wait"'),
    );
    last.process?.kill(signal);
    expect(await exitOf(last)).toBe(code);
    expect(readdirSync(last.dir).filter((file) => file !== "rekindle.lock")).toEqual([]);
  }
});

test("a user's own redis.conf is included, kept and in force", async () => {
  await using group = createNodes(22430, 3);
  const config = join(group.root, "my redis.conf");
  writeFileSync(config, 'maxmemory 123mb\nappendonly yes\nsave ""\n');
  bootAll(group.nodes, { nodes: 3, replicas: 0, flags: ["--config", config] });
  await untilWhole(group.nodes);
  const [node] = group.nodes;
  if (node === undefined) throw new Error("no node");
  expect((await ask(node, [["CONFIG", "GET", "maxmemory"]]))[0]).toEqual([
    "maxmemory",
    String(123 * 1024 * 1024),
  ]);
  expect(read(node, "rekindle.conf")).toContain("include ");
});

test("IPv6: nodes on ::1 found a cluster", async () => {
  await using group = createNodes(22440, 3);
  const peers = group.nodes.map((node) => `[::1]:${node.port}`).join(",");
  for (const node of group.nodes) boot(node, group.nodes, { nodes: 3, replicas: 0, peers });
  await until(
    "three nodes on IPv6",
    () =>
      Promise.all(
        group.nodes.map((node) =>
          ask(node, [
            ["CLUSTER", "INFO"],
            ["CLUSTER", "NODES"],
          ]).then(String, String),
        ),
      ),
    (seen) =>
      seen.every(
        (one) => one.includes("cluster_state:ok") && (one.match(/::1/g) ?? []).length >= 3,
      ),
  );
});

test("discovery dns: a name that resolves to this machine", async () => {
  await using group = createNodes(22450, 1);
  const [node] = group.nodes;
  if (node === undefined) throw new Error("no node");
  const child = spawn(executable, [
    "cluster",
    "--dns",
    "localhost",
    "--ip-family",
    "4",
    "--port",
    "22450",
    "--dir",
    node.dir,
    "--server",
    server,
    "--log-format",
    "json",
  ]);
  let output = "";
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes;
  });
  await until(
    "it knows itself and waits for five others",
    () => output,
    (text) => text.includes("1 of 6 peers have an address"),
  );
  child.kill("SIGKILL");
});

test("a second node in the same data folder is refused while the first one runs, as entrypoint or as server", async () => {
  await using group = createNodes(22460, 3);
  bootAll(group.nodes, { nodes: 3, replicas: 0 });
  await untilWhole(group.nodes);
  const [first, second] = group.nodes;
  if (first === undefined || second === undefined) throw new Error("no nodes");
  await kill(second);
  const intruder = {
    ...second,
    dir: first.dir,
    process: undefined,
    output: "",
    onOutput: new Set<(output: string) => void>(),
  };
  boot(intruder, group.nodes, { nodes: 3, replicas: 0 });
  expect(await exitOf(intruder)).toBe(78);
  expect(intruder.output).toContain(`in use by process ${first.process?.pid}`);
});

test("the executable needs nothing but itself", () => {
  const { stdout } = {
    stdout: execFileSync(executable, ["--version"], { env: {}, cwd: "/", encoding: "utf8" }),
  };
  expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
});
