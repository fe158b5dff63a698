/** `rekindle reload` and `rekindle sidecar --reload` on one real server: what is applied, refused, told and left. */
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { makeCertificates, renewCertificate, subjectServed } from "./certificates-under-test.ts";
import { printed } from "./commands-under-test.ts";
import { changeAgainAndAgain } from "./reload-cluster-under-test.ts";
import { figure, mountConfigMap, startNode } from "./reload-under-test.ts";
import { until } from "./until.ts";

const logOf = (output: string): readonly { message: string; report?: string; tookMs?: number }[] =>
  output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));

describe("rekindle reload", () => {
  test("what the file changes is applied, and a line that is gone brings the default back", async () => {
    const node = await startNode(25_000, { lines: ['save ""', "maxmemory 100mb", "timeout 30"] });
    node.write('save ""', "maxmemory 1gb", "maxmemory-policy allkeys-lru", "appendonly YES");
    expect(await node.reload()).toMatchObject({ exitCode: 0 });
    expect(await node.setting("maxmemory")).toBe("1073741824");
    expect(await node.setting("maxmemory-policy")).toBe("allkeys-lru");
    expect(await node.setting("appendonly")).toBe("yes");
    expect(await node.setting("timeout")).toBe("0");
    // Ours, as it is without the line.
    node.write('save ""', "repl-diskless-sync-delay 3");
    await node.reload();
    expect(await node.setting("repl-diskless-sync-delay")).toBe("3");
    node.write('save ""');
    await node.reload();
    expect(await node.setting("repl-diskless-sync-delay")).toBe("0");
    expect((await node.reload()).stdout).toBe("");
  });

  test("the plan is printed by --dry-run, secrets as stars, and nothing is done", async () => {
    const node = await startNode(25_001, { password: "of the node" });
    node.write('save ""', "maxmemory 1mb", "databases 17", "user alice on >secret +@all ~*");
    const { stdout, exitCode } = await node.reload("--dry-run");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^setting +running +file +how$/m);
    expect(stdout).toMatch(/^maxmemory +0 +1048576 +live$/m);
    expect(stdout).toMatch(/^user alice +\*\*\* +\*\*\* +live$/m);
    expect(stdout).toMatch(/^databases +16 +17 +restart$/m);
    expect(await node.setting("maxmemory")).toBe("0");
    expect(readdirSync(node.node.dir).filter((name) => name.includes("reload"))).toEqual([]);
  });

  test("what needs a restart is named, the rest is applied, and the exit code is 75", async () => {
    const node = await startNode(25_002);
    node.write(
      'save ""',
      "databases 17",
      'logfile "redis.log"',
      "timeout 7",
      'rename-command keys ""',
    );
    const { exitCode, stderr } = await node.reload();
    expect(exitCode).toBe(75);
    expect(stderr).toMatch(/databases: 16 → 17 needs a restart; .*logfile: .*rename-command:/);
    expect(await node.setting("timeout")).toBe("7");
  });

  const notValid: readonly [string, readonly string[], RegExp][] = [
    [
      "an unknown directive",
      ["maxmemory 1mb", "no-such-thing 1"],
      /no-such-thing 1.*Bad directive/,
    ],
    [
      "a directive of another version",
      ["hide-user-data-from-log yes"],
      /FATAL CONFIG FILE ERROR \(Redis.*Bad directive/,
    ],
    ["a value that is none", ["maxmemory plenty"], /maxmemory plenty.*must be a memory value/],
    ["a missing include", ["include /no/such.conf"], /can't open config file '\/no\/such.conf'/],
    ["a missing ACL file", ["aclfile /no/such.acl"], /opening file '\/no\/such.acl'/],
    ["a user that is none", ["user a on +nosuch"], /rule '\+nosuch' for the user named 'a'/],
    ["what Rekindle decides", ["port 7777"], /port is .*7777.* but .*by Rekindle's settings/],
    ["a role", ["replicaof 10.0.0.1 6379"], /replicaof .*roles are Rekindle's to give/],
    ["quotes that do not match", ['requirepass "x'], /quotes|[Uu]nbalanced/],
    ["users that lock Rekindle out", ["user default off"], /would not let Rekindle in/],
  ];

  test("what is not valid is refused with 65 in words, and the server keeps what it has", async () => {
    const node = await startNode(25_003, { lines: ['save ""', "maxmemory 7mb"], password: "pw" });
    for (const [what, lines, words] of notValid) {
      node.write('save ""', ...lines);
      const { exitCode, stderr } = await node.reload();
      expect(exitCode, `${what}: ${stderr}`).toBe(65);
      expect(stderr).toMatch(words);
      expect(await node.setting("maxmemory")).toBe("7340032");
    }
  });

  test("a secret in a line that is refused is not said", async () => {
    const node = await startNode(25_004);
    node.write("user alice on >hidden-one +@all ~* extra(");
    const { exitCode, stderr, stdout } = await node.reload();
    expect(exitCode).toBe(65);
    expect(stderr + stdout).not.toContain("hidden-one");
  });

  test("a file of 1 MB is taken within two seconds", async () => {
    const node = await startNode(25_005);
    const comment = `# ${"x".repeat(98)}`;
    node.write(...Array.from({ length: 10_500 }, () => comment), "timeout 9");
    const startedAt = performance.now();
    expect((await node.reload()).exitCode).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(await node.setting("timeout")).toBe("9");
  });

  test("where the server does not take one of them, all stay as they were", async () => {
    const node = await startNode(25_006);
    // Where its append-only file would go.
    writeFileSync(join(node.node.dir, "appendonlydir"), "");
    node.write('save ""', "maxmemory 9mb", "appendonly yes", "timeout 6");
    const { exitCode, stderr } = await node.reload();
    expect(stderr).toMatch(/does not take appendonly, maxmemory, timeout: .*Unable to turn on AOF/);
    expect(exitCode).toBe(75);
    const left = await Promise.all(["maxmemory", "timeout", "appendonly"].map(node.setting));
    expect(left).toEqual(["0", "0", "no"]);
  });

  test("users of the file are made, changed and taken away; those made by hand stay", async () => {
    const node = await startNode(25_007, { lines: ['save ""', "user alice on >one ~* +get"] });
    await node.reload();
    await node.say("ACL SETUSER by-hand on >x ~* +get");
    node.write('save ""', "user bob on >two ~b:* +set");
    expect(await node.reload()).toMatchObject({ exitCode: 0 });
    const users = (await node.say("ACL USERS"))[0];
    expect(users).toEqual(["bob", "by-hand", "default"]);
    expect((await node.reload("--dry-run")).stdout).toMatch(/user by-hand .*set by hand/);
  });

  test("an ACL file is taken as the server would load it, and Rekindle's user with it", async () => {
    const node = await startNode(25_008);
    const acl = join(node.folder, "users.acl");
    const admin = "user default on nopass ~* &* +@all";
    writeFileSync(acl, `${admin}\nuser carol on >c ~* +get\n`);
    node.write('save ""', `aclfile ${acl}`);
    // The file's name is read at a start only; its users are known at once all the same.
    expect((await node.reload()).stderr).toMatch(/aclfile: .* → .*users.acl needs a restart/);
    expect((await node.say("ACL USERS"))[0]).toEqual(["carol", "default"]);
    writeFileSync(acl, `${admin}\nuser dave on >d ~* +get\n`);
    await node.reload();
    expect((await node.say("ACL USERS"))[0]).toEqual(["dave", "default"]);
    writeFileSync(acl, "user default on nopass nonsense\n");
    expect(await node.reload()).toMatchObject({ exitCode: 65, stderr: /users.acl|nonsense/ });
  });

  test("what was set by hand is told and left; --enforce puts it right", async () => {
    const node = await startNode(25_009, { lines: ['save ""', "maxmemory 5mb"] });
    await node.reload();
    await node.say("CONFIG SET maxmemory 6mb");
    expect((await node.reload("--dry-run")).stdout).toMatch(/maxmemory .*set by hand; left/);
    node.write('save ""', "maxmemory 5mb", "timeout 3");
    await node.reload();
    expect([await node.setting("maxmemory"), await node.setting("timeout")]).toEqual([
      "6291456",
      "3",
    ]);
    await node.reload("--enforce");
    expect(await node.setting("maxmemory")).toBe("5242880");
  });

  test("of two reloads at a time the second says so with 75", async () => {
    const node = await startNode(25_010);
    await node.watch();
    const { exitCode, stderr } = await node.reload();
    expect(stderr).toMatch(/another reload is at work/);
    expect(exitCode).toBe(75);
    expect((await node.reload("--dry-run")).exitCode).toBe(0);
  });

  test("where no server was started it says so with 78; one that is down is tried again", async () => {
    const node = await startNode(25_011);
    const { exitCode, stderr } = await node.reload("--dir", node.folder);
    expect(stderr).toMatch(/no server was started there/);
    expect(exitCode).toBe(78);
    await node.say("SHUTDOWN NOSAVE").catch(() => {});
    expect(await node.reload()).toMatchObject({ exitCode: 75 });
  });
});

describe("rekindle sidecar --reload", () => {
  test("a ConfigMap that is swapped is applied within a second, and the time is in the log", async () => {
    const node = await startNode(25_020);
    mountConfigMap(node.folder, { "redis.conf": 'save ""\n' });
    const sidecar = await node.watch();
    mountConfigMap(node.folder, { "redis.conf": 'save ""\nmaxmemory 11mb\n' });
    await node.untilSetting("maxmemory", "11534336", 3_000);
    const applied = await until(
      "the line",
      () => logOf(sidecar.output()).find(({ report }) => report === "Reloaded"),
      (line) => line !== undefined,
    );
    expect(applied?.tookMs).toBeLessThan(1_000);
    console.log(`from change seen to applied: ${applied?.tookMs} ms`);
    expect(figure(node.node, 'rekindle_reload_duration_seconds_count{outcome="applied"}')).toBe(1);
  });

  test("an invalid file is told as an error and a figure until it is mended", async () => {
    const node = await startNode(25_021, { lines: ['save ""', "maxmemory 5mb"] });
    const sidecar = await node.watch();
    node.write("nonsense 1");
    await printed(sidecar, "ReloadRefused");
    expect(figure(node.node, "rekindle_reload_invalid")).toBe(1);
    expect(await node.setting("maxmemory")).toBe("5242880");
    node.write('save ""', "maxmemory 6mb");
    await node.untilSetting("maxmemory", "6291456");
    await until(
      "valid",
      () => figure(node.node, "rekindle_reload_invalid"),
      (value) => value === 0,
    );
    const told = logOf(sidecar.output()).filter(({ report }) => report === "ReloadRefused");
    expect(told.length).toBe(1);
  });

  test("a file that is gone changes nothing, and is said; back again, it counts", async () => {
    const node = await startNode(25_022, { lines: ['save ""', "maxmemory 5mb"] });
    const sidecar = await node.watch();
    renameSync(join(node.folder, "redis.conf"), join(node.folder, "away"));
    await printed(sidecar, "redis.conf is gone; the server keeps what it has");
    expect(await node.setting("maxmemory")).toBe("5242880");
    node.write('save ""', "maxmemory 7mb");
    await node.untilSetting("maxmemory", "7340032");
  });

  test("of many changes in a row the last counts, and few are applied", async () => {
    const node = await startNode(25_023);
    const sidecar = await node.watch();
    // As many as there are in a minute of one each second, in a third of the time: what counts is that the next one comes before the
    // last has settled. REKINDLE_TEST_PACE_MS=1000 has the whole minute.
    const [changes, paceMs] = [60, Number(process.env.REKINDLE_TEST_PACE_MS ?? 320)];
    await changeAgainAndAgain(changes, paceMs, (change) =>
      mountConfigMap(node.folder, { "redis.conf": `save ""\ntimeout ${100 + change}\n` }),
    );
    await node.untilSetting("timeout", `${100 + changes}`);
    const applied = logOf(sidecar.output()).filter(({ report }) => report === "Reloaded");
    console.log(`of ${changes} changes ${applied.length} were applied`);
    // The first, before anybody could know that more would come, and the last.
    expect(applied.length).toBeLessThanOrEqual(2);
    expect(sidecar.process.exitCode).toBeNull();
  }, 120_000);

  test("what was set by hand is told once, as a figure too, and goes when it is put right", async () => {
    const node = await startNode(25_024, { lines: ['save ""', "maxmemory 5mb"] });
    const sidecar = await node.watch();
    await node.say("CONFIG SET maxmemory 6mb");
    await printed(sidecar, "set by hand, and not as the file has it: maxmemory: 6291456 → 5242880");
    expect(figure(node.node, "rekindle_reload_drifted")).toBe(1);
    await node.say("CONFIG SET maxmemory 5mb");
    await until(
      "no drift",
      () => figure(node.node, "rekindle_reload_drifted"),
      (value) => value === 0,
    );
    expect(await node.setting("maxmemory")).toBe("5242880");
  });

  test("started again it knows what was set by hand, and what the file has changed meanwhile", async () => {
    const node = await startNode(25_025, { lines: ['save ""', "maxmemory 5mb"] });
    const first = await node.watch();
    first.process.kill("SIGKILL");
    await first.finished;
    await node.say("CONFIG SET maxmemory 6mb");
    node.write('save ""', "maxmemory 5mb", "timeout 4");
    await node.watch();
    await node.untilSetting("timeout", "4");
    expect(await node.setting("maxmemory")).toBe("6291456");
  });

  test("a certificate that is renewed is served at once; one that does not fit its key is refused", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rekindle-tls-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const { flags, files } = makeCertificates(folder);
    const node = await startNode(25_027, { flags, access: { tls: files } });
    const sidecar = await node.watch();
    const served = () => subjectServed(25_027, files);
    expect(await served()).toBe("node");
    const key = readFileSync(join(folder, "node.key"));
    renewCertificate(folder, "renewed");
    await until("the new certificate", served, (name) => name === "renewed", 10_000);
    writeFileSync(join(folder, "node.key"), key);
    await printed(sidecar, "ReloadRefused");
    expect(sidecar.output()).toMatch(/key values mismatch|Failed to load/i);
    expect(await served()).toBe("renewed");
  });

  test("killed in the middle it leaves no server behind, and its folder goes with the next", async () => {
    const node = await startNode(25_026);
    const leftovers = () =>
      readdirSync(node.node.dir).filter((name) => name.startsWith(".rekindle-reload-"));
    const sidecar = await node.watch();
    node.write('save ""', "timeout 5");
    await until("a trial", leftovers, (names) => names.length > 0, 5_000);
    sidecar.process.kill("SIGKILL");
    await sidecar.finished;
    const trials = () =>
      readdirSync("/proc").filter((pid) => {
        try {
          return (
            /^\d+$/.test(pid) &&
            readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(node.node.dir) &&
            readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(".rekindle-reload-")
          );
        } catch {
          return false;
        }
      });
    await until("no server of it", trials, (pids) => pids.length === 0, 5_000);
    await node.watch();
    await node.untilSetting("timeout", "5");
    await until("no folder of it", leftovers, (names) => names.length === 0, 5_000);
  });
});
