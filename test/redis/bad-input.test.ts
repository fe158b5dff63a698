import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  ask,
  boot,
  bootAll,
  createNodes,
  empty,
  exitOf,
  kill,
  type NodeGroup,
  type NodeUnderTest,
  read,
  untilWhole,
  writeKeys,
} from "./nodes-under-test.ts";
import { until } from "./until.ts";

function only(group: NodeGroup): NodeUnderTest {
  const [node] = group.nodes;
  if (node === undefined) throw new Error("no node");
  return node;
}

/** The one line of its end. */
function lastLine(node: NodeUnderTest): { message: string; hint: string; exit: number } {
  const lines = node.output.trimEnd().split("\n");
  expect(node.output).not.toMatch(/^\s+at /m);
  return JSON.parse(lines.at(-1) ?? "{}");
}

const cases: readonly {
  what: string;
  flags: readonly string[];
  exit: number;
  says: RegExp;
  environment?: Record<string, string>;
}[] = [
  { what: "an unknown flag", flags: ["--nodez", "6"], exit: 64, says: /nodez/ },
  {
    what: "a count that is no whole number",
    flags: ["--nodes", "six"],
    exit: 64,
    says: /--nodes is "six", expected a whole number/,
  },
  {
    what: "a count from the environment that is no number",
    flags: [],
    environment: { REKINDLE_PEER_WAIT: "soon" },
    exit: 78,
    says: /REKINDLE_PEER_WAIT is "soon"/,
  },
  {
    what: "nodes that do not fit the replicas",
    flags: ["--nodes", "7"],
    exit: 78,
    says: /7 nodes.*6 or 8/s,
  },
  {
    what: "a peer list with a duplicate",
    flags: ["--peers", "127.0.0.1:22500,127.0.0.1:22501,127.0.0.1:22501"],
    exit: 78,
    says: /127\.0\.0\.1:22501" twice/,
  },
  {
    what: "a duplicate behind two names",
    flags: ["--peers", "127.0.0.1:22500,localhost:22500"],
    exit: 78,
    says: /same node/,
  },
  {
    what: "a peer list without our own address",
    flags: ["--peers", "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3"],
    exit: 78,
    says: /does not name this node/,
  },
  {
    what: "a peer that is no address",
    flags: ["--peers", "a:b:c"],
    exit: 64,
    says: /"a:b:c" is no address/,
  },
  {
    what: "a missing server",
    flags: ["--server", "/nowhere/redis-server"],
    exit: 127,
    says: /\/nowhere\/redis-server was not found/,
  },
  {
    what: "a server that is none",
    flags: ["--server", "/bin/true"],
    exit: 126,
    says: /is no Redis or Valkey server/,
  },
  {
    what: "a redis.conf that is not there",
    flags: ["--config", "/nowhere/redis.conf"],
    exit: 78,
    says: /\/nowhere\/redis\.conf cannot be read/,
  },
  {
    what: "a password file that is not there",
    flags: ["--password-file", "/nowhere/password"],
    exit: 78,
    says: /password file/,
  },
  {
    what: "a certificate without a key",
    flags: ["--tls-cert", "/x.crt"],
    exit: 78,
    says: /--tls-key and --tls-ca/,
  },
  {
    what: "an ACL user without a password",
    flags: ["--user", "me"],
    exit: 78,
    says: /me has no password/,
  },
  {
    what: "a bus port out of range",
    flags: ["--bus-port", "70000"],
    exit: 64,
    says: /--bus-port is "70000"/,
  },
];

for (const { what, flags, exit, says, environment } of cases) {
  test(`${what}: one line that names it, exit ${exit}`, async () => {
    await using group = createNodes(22500, 1);
    const node = only(group);
    const hasPeers = flags.includes("--peers");
    const hasNodes = flags.some((flag) => flag.startsWith("--node"));
    const { spawnSync } = await import("node:child_process");
    const { executable } = await import("./nodes-under-test.ts");
    const result = spawnSync(
      executable,
      [
        "cluster",
        ...(hasPeers ? [] : ["--peers", "127.0.0.1:22500,127.0.0.1:22501"]),
        "--port",
        "22500",
        "--dir",
        node.dir,
        ...(hasNodes ? [] : ["--nodes", "6"]),
        ...flags,
      ],
      { encoding: "utf8", env: { PATH: process.env.PATH, ...environment }, timeout: 20_000 },
    );
    node.output = result.stdout + result.stderr;
    expect(result.status).toBe(exit);
    const line = lastLine(node);
    expect(`${line.message} ${line.hint}`).toMatch(says);
    expect(line.hint).toBeTruthy();
    expect(line.exit).toBe(exit);
  });
}

test("a server that is too old is refused with its version", async () => {
  await using group = createNodes(22510, 1);
  const old = join(group.root, "redis-server");
  writeFileSync(
    old,
    "#!/bin/sh\necho 'Redis server v=5.0.14 sha=00000000:0 malloc=jemalloc-5.1.0 bits=64 build=0'\n",
  );
  chmodSync(old, 0o755);
  boot(only(group), group.nodes, {
    flags: ["--server", old],
    peers: "127.0.0.1:22510,127.0.0.1:22511,127.0.0.1:22512",
  });
  expect(await exitOf(only(group))).toBe(126);
  expect(lastLine(only(group)).message).toContain("version 5.0");
});

test("an unresolvable peer is named and waited for, with no crash", async () => {
  await using group = createNodes(22520, 1);
  const node = only(group);
  boot(node, group.nodes, {
    peers:
      "127.0.0.1:22520,no-such-host.invalid:1,127.0.0.1:22522,127.0.0.1:22523,127.0.0.1:22524,127.0.0.1:22525",
  });
  await until(
    "it says who",
    () => node.output,
    (output) =>
      output.includes("no-such-host.invalid") && output.includes("5 of 6 peers have an address"),
  );
  expect(node.process?.exitCode).toBe(null);
});

test("a port in use is named", async () => {
  await using group = createNodes(22530, 3);
  const taken = createServer().listen(22530, "127.0.0.1");
  boot(only(group), group.nodes, { nodes: 3, replicas: 0 });
  expect(await exitOf(only(group))).toBe(78);
  expect(lastLine(only(group)).message).toContain("port 22530 of 127.0.0.1 is in use");
  taken.close();
});

test("a data folder that cannot be written is named", async () => {
  await using group = createNodes(22540, 3);
  const node = only(group);
  writeFileSync(join(group.root, "file"), "");
  boot({ ...node, dir: join(group.root, "file", "dir") }, group.nodes, { nodes: 3, replicas: 0 });
  const other = { ...node, dir: join(group.root, "file", "dir"), process: undefined };
  boot(other, group.nodes, { nodes: 3, replicas: 0 });
  expect(await exitOf(other)).toBe(78);
});

test("what the user's redis.conf contradicts is named, all of it, and no password is shown", async () => {
  await using group = createNodes(22550, 3);
  const config = join(group.root, "redis.conf");
  writeFileSync(
    config,
    "port 7000\nmaxmemory 1mb\nrequirepass hush\ndaemonize yes\nreplicaof 10.0.0.1 6379\n",
  );
  boot(only(group), group.nodes, { nodes: 3, replicas: 0, flags: ["--config", config] });
  expect(await exitOf(only(group))).toBe(78);
  const { message } = lastLine(only(group));
  for (const name of ["port is", "requirepass", "daemonize", "replicaof"])
    expect(message).toContain(name);
  expect(message).not.toContain("maxmemory");
  expect(only(group).output).not.toContain("hush");
});

test("a password with a newline inside is refused", async () => {
  await using group = createNodes(22560, 3);
  const file = join(group.root, "password");
  writeFileSync(file, "one\ntwo");
  boot(only(group), group.nodes, { nodes: 3, replicas: 0, flags: ["--password-file", file] });
  expect(await exitOf(only(group))).toBe(78);
  expect(lastLine(only(group)).message).toContain("newline");
});

test("a wrong password is told with the peer's name and what to check", async () => {
  await using group = createNodes(22570, 3);
  const files = ["right", "wrong"].map((word) => {
    writeFileSync(join(group.root, word), word);
    return join(group.root, word);
  });
  const [first, second, third] = group.nodes;
  if (!first || !second || !third) throw new Error("no nodes");
  for (const node of [first, second])
    boot(node, group.nodes, { nodes: 3, replicas: 0, flags: ["--password-file", files[0] ?? ""] });
  await until(
    "two servers",
    () => Promise.all([first, second].map((node) => ask(node, [["PING"]]).then(String, String))),
    (all) => all.every((one) => one.includes("NOAUTH")),
  );
  boot(third, group.nodes, { nodes: 3, replicas: 0, flags: ["--password-file", files[1] ?? ""] });
  expect(await exitOf(third)).toBe(78);
  expect(lastLine(third).message).toContain("127.0.0.1:22570");
  expect(lastLine(third).message).toContain("WRONGPASS");
  // And the other way round: this node has none.
  empty(third);
  boot(third, group.nodes, { nodes: 3, replicas: 0 });
  expect(await exitOf(third)).toBe(78);
  expect(lastLine(third).message).toContain("NOAUTH");
});

test("a data folder of another cluster is refused, and nothing in it changes", async () => {
  await using ours = createNodes(22580, 3);
  await using theirs = createNodes(22585, 3);
  bootAll(ours.nodes, { nodes: 3, replicas: 0 });
  bootAll(theirs.nodes, { nodes: 3, replicas: 0 });
  await Promise.all([untilWhole(ours.nodes), untilWhole(theirs.nodes)]);
  await writeKeys(theirs.nodes, 20);
  const [stranger] = theirs.nodes;
  const [mine] = ours.nodes;
  if (!stranger || !mine) throw new Error("no nodes");
  await ask(stranger, [["SAVE"]]);
  await kill(stranger);
  await kill(mine);
  const before = read(stranger, "nodes.conf");
  const misplaced = { ...mine, dir: stranger.dir, process: undefined, output: "" };
  boot(misplaced, ours.nodes, { nodes: 3, replicas: 0 });
  expect(await exitOf(misplaced)).toBe(65);
  expect(lastLine(misplaced).message).toContain("another cluster");
  expect(read(stranger, "nodes.conf")).toBe(before);
});

test("data without a nodes.conf is refused rather than overwritten", async () => {
  await using group = createNodes(22590, 3);
  const node = only(group);
  mkdirSync(node.dir, { recursive: true });
  writeFileSync(join(node.dir, "dump.rdb"), "REDIS0011");
  boot(node, group.nodes, { nodes: 3, replicas: 0 });
  expect(await exitOf(node)).toBe(65);
  expect(read(node, "dump.rdb")).toBe("REDIS0011");
});
