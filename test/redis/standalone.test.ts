/** One persistent Redis: what its data folder may look like, before the real server. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  ask,
  createNodes,
  executable,
  exitOf,
  kill,
  launch,
  type NodeGroup,
  type NodeUnderTest,
  server,
} from "./nodes-under-test.ts";
import { until } from "./until.ts";

const port = 24_500;
const aofFolder = "appendonlydir";
const increment = join(aofFolder, "appendonly.aof.1.incr.aof");

interface Room {
  readonly node: NodeUnderTest;
  readonly group: NodeGroup;
  path(name: string): string;
  flags(...more: readonly string[]): readonly string[];
  /** Starts `rekindle standalone`, and waits for the server. */
  start(...flags: readonly string[]): Promise<void>;
  /** Starts it, and waits for its end. */
  refusal(...flags: readonly string[]): Promise<{ exit: number; message: string; hint: string }>;
  counter(): Promise<unknown>;
}

function openRoom(group: NodeGroup): Room {
  const [node] = group.nodes;
  if (node === undefined) throw new Error("no node");
  const flags = (...more: readonly string[]) => [
    "standalone",
    "--port",
    `${port}`,
    "--dir",
    node.dir,
    "--server",
    server,
    ...more,
  ];
  return {
    node,
    group,
    path: (name) => join(node.dir, name),
    flags,
    async start(...more) {
      launch(node, flags(...more));
      await until(
        "a server",
        () => ask(node, [["PING"]]).then(String, String),
        (reply) => reply === "PONG",
        20_000,
        () => node.output,
      );
    },
    async refusal(...more) {
      node.output = "";
      launch(node, flags(...more));
      await exitOf(node);
      expect(node.output).not.toMatch(/^\s+at /m);
      return JSON.parse(node.output.trimEnd().split("\n").at(-1) ?? "{}");
    },
    counter: async () => (await ask(node, [["GET", "mycounter"]]))[0],
  };
}

/** A folder in which a server has counted to 42, and been killed. */
async function withData(group: NodeGroup, ...flags: readonly string[]): Promise<Room> {
  const room = openRoom(group);
  await room.start(...flags);
  await ask(room.node, [["SET", "mycounter", "42"]]);
  await kill(room.node);
  return room;
}

/** A folder with nothing but a dump.rdb of 42. */
async function withSnapshot(group: NodeGroup): Promise<Room> {
  const room = openRoom(group);
  await room.start();
  await ask(room.node, [["SET", "mycounter", "42"], ["SAVE"]]);
  await kill(room.node);
  rmSync(room.path(aofFolder), { recursive: true });
  rmSync(room.path("rekindle.conf"));
  return room;
}

const configOf = (group: NodeGroup, ...lines: readonly string[]): string => {
  const path = join(group.root, "redis.conf");
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
};

test("a server that is killed has everything again: an append-only file, synced each second", async () => {
  await using group = createNodes(port, 1);
  const room = await withData(group);
  await room.start();
  expect(await room.counter()).toBe("42");
  const [appendonly, fsync, mode] = await ask(room.node, [
    ["CONFIG", "GET", "appendonly"],
    ["CONFIG", "GET", "appendfsync"],
    ["CONFIG", "GET", "protected-mode"],
  ]);
  expect([appendonly, fsync, mode]).toEqual([
    ["appendonly", "yes"],
    ["appendfsync", "everysec"],
    ["protected-mode", "yes"],
  ]);
  expect(readFileSync(`/proc/${room.node.process?.pid}/comm`, "utf8")).not.toMatch(/rekindle/);
});

test("a folder with a dump.rdb alone: the server by itself would start empty, here it has the data, and the file stays", async () => {
  await using group = createNodes(port, 1);
  const room = await withSnapshot(group);
  const before = readFileSync(room.path("dump.rdb"));
  const args = ["--port", `${port}`, "--dir", room.node.dir, "--appendonly", "yes"];
  const bare = spawn(server, args, { stdio: "ignore" });
  await until(
    "the bare server",
    () => ask(room.node, [["DBSIZE"]]).then(([keys]) => keys, String),
    (keys) => keys === 0,
  );
  bare.kill("SIGKILL");
  await new Promise((resolve) => bare.once("exit", resolve));
  rmSync(room.path(aofFolder), { recursive: true });

  await room.start();
  expect(await room.counter()).toBe("42");
  await ask(room.node, [["INCR", "mycounter"]]);
  expect(readFileSync(room.path("dump.rdb"))).toEqual(before);
  await kill(room.node);
  await room.start();
  expect(await room.counter()).toBe("43");
  await ask(room.node, [["BGREWRITEAOF"]]);
  expect(readFileSync(room.path("dump.rdb"))).toEqual(before);
});

test("an append-only file that was turned off and is turned on again does not bring old data back", async () => {
  await using group = createNodes(port, 1);
  const room = await withData(group);
  const off = configOf(group, "appendonly no");
  const refused = await room.refusal("--config", off);
  expect(refused.message).toContain("start empty beside an append-only file");
  expect(refused.exit).toBe(65);

  await room.start();
  await ask(room.node, [["CONFIG", "SET", "appendonly", "no"], ["SAVE"]]);
  await kill(room.node);
  await room.start("--config", off);
  await ask(room.node, [["SET", "mycounter", "100"], ["SAVE"]]);
  await kill(room.node);
  await room.start();
  expect(await room.counter()).toBe("100");
  expect(readdirSync(room.node.dir).join()).toMatch(/appendonlydir\.set-aside-/);
});

test("an append-only file that ends in the midst of a command: the server loads the rest, and not a byte is lost", async () => {
  await using group = createNodes(port, 1);
  const room = await withData(group);
  appendFileSync(room.path(increment), "*3\r\n$3\r\nSET\r\n$9\r\nmycounter\r\n$2\r\n9");
  const before = readFileSync(room.path(increment));
  await room.start();
  expect(await room.counter()).toBe("42");
  const kept = readdirSync(room.path(aofFolder)).find((name) => name.includes("cut-off"));
  const rest = readFileSync(room.path(join(aofFolder, kept ?? "")));
  const now = readFileSync(room.path(increment));
  expect(Buffer.concat([now, rest])).toEqual(before);
  expect(rest.toString()).toMatch(/^\*3\r\n\$3\r\nSET/);
  expect(room.node.output).toContain(kept);
});

test("a transaction without its end is cut off as the server does it, and kept", async () => {
  await using group = createNodes(port, 1);
  const room = await withData(group);
  const open = "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$9\r\nmycounter\r\n$1\r\n9\r\n";
  appendFileSync(room.path(increment), open);
  await room.start();
  expect(await room.counter()).toBe("42");
  const kept = readdirSync(room.path(aofFolder)).find((name) => name.includes("cut-off")) ?? "";
  expect(readFileSync(room.path(join(aofFolder, kept)), "utf8")).toBe(open);
});

test("aof-load-truncated no: a file that was cut short is refused", async () => {
  await using group = createNodes(port, 1);
  const room = await withData(group);
  truncateSync(room.path(increment), statSync(room.path(increment)).size - 3);
  const { exit, message, hint } = await room.refusal(
    "--config",
    configOf(group, "aof-load-truncated no"),
  );
  expect(exit).toBe(65);
  expect(message).toContain("was cut short after byte");
  expect(hint).toContain("aof-load-truncated yes");
});

test.each([
  ["other bytes", (bytes: Buffer) => bytes.fill("x", 30, 34)],
  // The server takes this for an early end, and would cut off all that follows.
  [
    "a length that reaches beyond the end",
    (bytes: Buffer) => bytes.write("$999999", bytes.indexOf("$9\r\nmycounter")),
  ],
])(
  "a damage in the middle of the append-only file is refused and left as it is: %s",
  async (_, damage) => {
    await using group = createNodes(port, 1);
    const room = openRoom(group);
    await room.start();
    const sets = Array.from({ length: 20 }, (_, i) => ["SET", "mycounter", `${i}`]);
    await ask(room.node, sets);
    await kill(room.node);
    const bytes = readFileSync(room.path(increment));
    damage(bytes);
    writeFileSync(room.path(increment), bytes);
    const { exit, message, hint } = await room.refusal();
    expect(exit).toBe(65);
    expect(message).toMatch(/appendonly\.aof\.1\.incr\.aof is damaged: .* after byte \d+/);
    expect(hint).toContain("redis-check-aof --fix");
    expect(readFileSync(room.path(increment))).toEqual(bytes);
  },
);

test.each([
  ["cut short", (bytes: Buffer) => bytes.subarray(0, bytes.length - 12)],
  ["a byte changed", (bytes: Buffer) => bytes.fill("x", bytes.length - 12, bytes.length - 11)],
  ["something else", () => Buffer.from("<html></html>")],
])("a snapshot that is damaged is refused and left as it is: %s", async (_, damage) => {
  await using group = createNodes(port, 1);
  const room = await withSnapshot(group);
  const damaged = damage(readFileSync(room.path("dump.rdb")));
  writeFileSync(room.path("dump.rdb"), damaged);
  for (const lines of [["appendonly yes"], ["appendonly no"]]) {
    const { exit, message, hint } = await room.refusal("--config", configOf(group, ...lines));
    expect(exit).toBe(65);
    expect(message).toContain("dump.rdb is damaged");
    expect(hint).toContain("restore a backup");
  }
  expect(readFileSync(room.path("dump.rdb"))).toEqual(damaged);
  expect(readdirSync(room.node.dir)).not.toContain(aofFolder);
});

test("data of a newer version is refused with who wrote it, as a snapshot and as the base of an append-only file", async () => {
  await using group = createNodes(port, 1);
  const room = await withSnapshot(group);
  const newer = readFileSync(room.path("dump.rdb"));
  newer.write("REDIS0099");
  writeFileSync(room.path("dump.rdb"), newer);
  const says = /is of a version that this server does not read: REDIS0099, Redis \d+\.\d+/;
  expect(await room.refusal()).toMatchObject({ exit: 65, message: expect.stringMatching(says) });

  mkdirSync(room.path(aofFolder));
  renameSync(room.path("dump.rdb"), room.path(join(aofFolder, "appendonly.aof.1.base.rdb")));
  const manifest = room.path(join(aofFolder, "appendonly.aof.manifest"));
  writeFileSync(manifest, "file appendonly.aof.1.base.rdb seq 1 type b\n");
  expect(await room.refusal()).toMatchObject({ exit: 65, message: expect.stringMatching(says) });
  expect(readdirSync(room.node.dir).filter((name) => name.endsWith(".rdb"))).toEqual([]);
});

test("an append-only file whose parts are missing, or whose manifest is, is refused with their names", async () => {
  await using group = createNodes(port, 1);
  const room = await withData(group);
  const base = room.path(join(aofFolder, "appendonly.aof.1.base.rdb"));
  renameSync(base, `${base}.away`);
  expect(await room.refusal()).toMatchObject({
    exit: 65,
    message: expect.stringMatching(/names appendonly\.aof\.1\.base\.rdb, which is not there/),
  });
  renameSync(`${base}.away`, base);
  const manifest = room.path(join(aofFolder, "appendonly.aof.manifest"));
  const text = readFileSync(manifest, "utf8");
  writeFileSync(manifest, "file ");
  expect((await room.refusal()).message).toContain("line 1 is not understood");
  rmSync(manifest);
  expect((await room.refusal()).message).toContain("no manifest: the server would start empty");
  writeFileSync(manifest, text);
  await room.start();
  expect(await room.counter()).toBe("42");
});

test("a folder in use is refused, also by a server that Rekindle did not start", async () => {
  await using group = createNodes(port, 1);
  const room = await withData(group);
  await room.start();
  const second = { ...room.node, process: undefined, output: "", onOutput: new Set<() => void>() };
  launch(second, ["standalone", "--port", `${port + 1}`, "--dir", room.node.dir]);
  expect(await exitOf(second)).toBe(78);
  expect(second.output).toContain("is in use by process");
  await kill(room.node);

  const args = ["--port", `${port + 1}`, "--dir", room.node.dir, "--appendonly", "yes"];
  const bare = spawn(server, args, { stdio: "ignore" });
  await until(
    "the bare server",
    () => ask({ port: port + 1 }, [["PING"]]).then(String, String),
    (reply) => reply === "PONG",
  );
  const { exit, message } = await room.refusal();
  expect(exit).toBe(78);
  expect(message).toContain(`process ${bare.pid}, a server, runs on the data folder`);
  bare.kill("SIGKILL");
});

test("a port in use is named before the folder is touched", async () => {
  await using group = createNodes(port, 2);
  const [, other] = group.nodes;
  if (other === undefined) throw new Error("no node");
  launch(other, ["standalone", "--port", `${port}`, "--dir", other.dir]);
  await until(
    "the other",
    () => ask({ port }, [["PING"]]).then(String, String),
    (reply) => reply === "PONG",
  );
  const room = openRoom(group);
  expect((await room.refusal()).message).toContain(`port ${port} of 127.0.0.1 is in use`);
  expect(readdirSync(room.node.dir)).not.toContain(aofFolder);
});

const isRoot = process.getuid?.() === 0;

test.skipIf(!isRoot)(
  "files of another user, and a folder of another's, are named with what to do",
  async () => {
    await using group = createNodes(port, 1);
    const room = await withData(group);
    const runAs = (...more: readonly string[]): { exit: number; message: string; hint: string } => {
      const args = ["standalone", "--port", `${port}`, "--dir", room.node.dir, "--server", server];
      const user = { uid: 999, gid: 999 };
      const { stderr } = spawnSync(executable, [...args, ...more], {
        encoding: "utf8",
        timeout: 20_000,
        ...user,
      });
      return JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "{}");
    };
    chmodSync(group.root, 0o755);
    expect(runAs().message).toMatch(/the data folder .* cannot be written/);
    chownSync(room.node.dir, 999, 999);
    expect(runAs()).toMatchObject({ exit: 65, message: expect.stringMatching(/rekindle\.lock/) });
    chownSync(room.path("rekindle.lock"), 999, 999);
    expect(runAs("--restore-from", "file:///tmp").message).toContain(aofFolder);
    chmodSync(room.path(aofFolder), 0o755);
    const says = /belongs to user 0 and group 0 .* and this is user 999/;
    for (const owned of [aofFolder, join(aofFolder, "appendonly.aof.manifest"), increment]) {
      const { exit, message, hint } = runAs();
      expect(exit).toBe(65);
      expect(message).toContain(owned);
      expect(message).toMatch(says);
      expect(hint).toContain("chown");
      chownSync(room.path(owned), 999, 999);
    }
  },
);

test.skipIf(!isRoot)("a full disk is said, and little room is a warning", async () => {
  await using group = createNodes(port, 1);
  const room = openRoom(group);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", room.node.dir]);
  try {
    await room.start();
    await ask(room.node, [
      ["SET", "large", "x".repeat(1_500_000)],
      ["SET", "mycounter", "42"],
    ]);
    await kill(room.node);
    await room.start();
    expect(room.node.output).not.toContain("refuses writes");
    await kill(room.node);
    writeFileSync(room.path("other"), Buffer.alloc(1_300_000));
    await room.start();
    expect(await room.counter()).toBe("42");
    expect(room.node.output).toContain("where that fails the server refuses writes");
    await kill(room.node);
    try {
      for (;;) appendFileSync(room.path("other"), Buffer.alloc(4_096));
    } catch {
      // Full.
    }
    const { exit, message } = await room.refusal();
    expect(exit).toBe(65);
    expect(message).toMatch(/cannot be locked: ENOSPC/);
  } finally {
    await kill(room.node);
    execFileSync("umount", ["--lazy", room.node.dir]);
  }
});

test("an empty folder gets the newest snapshot of a store; one that holds data keeps its own", async () => {
  await using group = createNodes(port, 1);
  const room = openRoom(group);
  const store = `file://${join(group.root, "store")}`;
  // A store without a snapshot yet is no reason to wait.
  mkdirSync(join(group.root, "store"));
  await room.start("--restore-from", store);
  await ask(room.node, [["SET", "mycounter", "42"]]);
  const backup = ["backup", "--to", store, "--connect", `127.0.0.1:${port}`];
  execFileSync(executable, backup, { stdio: "ignore" });
  await ask(room.node, [["SET", "mycounter", "43"]]);
  await kill(room.node);
  await room.start("--restore-from", store);
  expect(await room.counter()).toBe("43");
  await kill(room.node);
  for (const name of readdirSync(room.node.dir)) rmSync(room.path(name), { recursive: true });
  // The files of a server that never had a key are no data.
  await room.start();
  await kill(room.node);
  await room.start("--restore-from", store);
  expect(await room.counter()).toBe("42");
});

test("status tells what it keeps and what is wrong, drain lets it be, and a backup that follows it changes neither", async () => {
  await using group = createNodes(port, 1);
  const room = await withData(group);
  await room.start();
  const at = ["--connect", `127.0.0.1:${port}`];
  const run = (...args: readonly string[]) => spawnSync(executable, args, { encoding: "utf8" });
  const status = run("status", ...at);
  expect(status.stdout).toMatch(/● serving\s+one server at .*1 key, .*append-only file/);
  expect(status.status).toBe(0);
  const drained = run("drain", "--port", `${port}`, "--dir", room.node.dir);
  expect(drained.stdout).toContain("this server is alone");
  expect(drained.status).toBe(0);

  const store = `file://${join(group.root, "store")}`;
  const beside = ["--port", `${port}`, "--dir", room.node.dir];
  const sidecar = spawn(executable, ["sidecar", "--backup", store, "--continuous", ...beside]);
  try {
    await until(
      "the backup follows",
      () => ask(room.node, [["INFO", "replication"]]).then(String),
      (info) => /slave0:.*state=online/.test(info),
    );
    expect(run("status", ...at, "--json").stdout).toContain('"keeps": "append-only file"');
    expect(run("drain", "--port", `${port}`, "--dir", room.node.dir).status).toBe(0);
  } finally {
    sidecar.kill("SIGKILL");
  }

  await ask(room.node, [
    ["CONFIG", "SET", "appendonly", "no"],
    ["CONFIG", "SET", "save", ""],
  ]);
  expect(run("status", ...at).stdout).toContain("a restart loses all data");
});

test("a large file is looked at by its ends; one that nobody wrote to since the last start, as a whole", async () => {
  await using group = createNodes(port, 1);
  const room = openRoom(group);
  await room.start("--config", configOf(group, "rdbcompression no"));
  const value = "0123456789abcdef".repeat(65_536);
  const sets = Array.from({ length: 20 }, (_, i) => ["SET", `large:${i}`, value]);
  await ask(room.node, [...sets, ["SAVE"]]);
  await kill(room.node);
  rmSync(room.path(aofFolder), { recursive: true });
  const bytes = readFileSync(room.path("dump.rdb"));
  bytes.fill("x", 10_000_000, 10_000_001);
  writeFileSync(room.path("dump.rdb"), bytes);
  // The first time it is the server that dies of it: it reads all of the file.
  launch(room.node, room.flags());
  expect(await exitOf(room.node)).toBe(1);
  expect(await room.refusal()).toMatchObject({
    exit: 65,
    message: expect.stringContaining("CRC"),
  });
}, 60_000);
