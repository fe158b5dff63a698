import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connect } from "../../src/redis/connection.ts";
import { makeCertificates } from "./certificates-under-test.ts";
import { openRoom } from "./commands-under-test.ts";
import { ask, bootAll, createNodes, type NodeGroup, untilWhole } from "./nodes-under-test.ts";
import { until } from "./until.ts";

/** Spaces, quotes, a dollar, a backslash, a percent sign and bytes that are no UTF-8. */
const password = Buffer.concat([
  Buffer.from("a \"b\" 'c' $HOME `id` \\x41 #%@& é "),
  Buffer.from([0xff, 0xfe, 0x01]),
]);

function passwordFile(group: NodeGroup, bytes: Buffer): string {
  const path = join(group.root, "password");
  writeFileSync(path, Buffer.concat([bytes, Buffer.from("\n")]), { mode: 0o600 });
  return path;
}

/** Everything that another user of the machine, or of the log, could see. */
function everythingShown(group: NodeGroup): string {
  const shown = group.nodes.flatMap((node) => {
    const commandLine = readFileSync(`/proc/${node.process?.pid}/cmdline`, "latin1");
    const environment = readFileSync(`/proc/${node.process?.pid}/environ`, "latin1");
    const readable = readdirSync(node.dir).filter(
      (file) => (statSync(join(node.dir, file)).mode & 0o044) !== 0,
    );
    const files = readable
      .filter((file) => statSync(join(node.dir, file)).isFile())
      .map((file) => readFileSync(join(node.dir, file), "latin1"));
    return [node.output, commandLine, environment, ...files];
  });
  return shown.join("\n");
}

test("a password of any bytes protects clients and replication, and is shown nowhere", async () => {
  await using group = createNodes(22300, 6);
  bootAll(group.nodes, {
    flags: ["--password-file", passwordFile(group, password), "--log-level", "debug"],
  });
  await untilWhole(group.nodes, 30_000, { password });
  const [first] = group.nodes;
  if (first === undefined) throw new Error("no node");
  expect(String((await ask(first, [["PING"]]))[0])).toContain("NOAUTH");
  const shown = everythingShown(group);
  expect(shown).not.toContain(password.toString("latin1"));
  expect(shown).not.toContain("$HOME");
});

test("a password from the environment works, and does not stay in the server's environment", async () => {
  await using group = createNodes(22310, 3);
  const secret = "from the $environment";
  bootAll(group.nodes, { nodes: 3, replicas: 0, environment: { REKINDLE_PASSWORD: secret } });
  await untilWhole(group.nodes, 30_000, { password: Buffer.from(secret) });
  expect(everythingShown(group)).not.toContain("$environment");
});

test("an ACL user of our own is made, replicates, and the default user is off", async () => {
  await using group = createNodes(22320, 6);
  bootAll(group.nodes, {
    flags: ["--user", "keeper", "--password-file", passwordFile(group, password)],
  });
  await untilWhole(group.nodes, 30_000, { user: "keeper", password });
  const [first] = group.nodes;
  if (first === undefined) throw new Error("no node");
  expect(String((await ask(first, [["PING"]]))[0])).toMatch(/NOAUTH|WRONGPASS/);
});

test("an ACL user that the user's own redis.conf defines is taken as it is", async () => {
  await using group = createNodes(22330, 3);
  const config = join(group.root, "redis.conf");
  writeFileSync(
    config,
    "user keeper on >secret allkeys allcommands\nuser default on nopass allkeys +ping\n",
  );
  const flags = [
    "--config",
    config,
    "--user",
    "keeper",
    "--password-file",
    passwordFile(group, Buffer.from("secret")),
  ];
  bootAll(group.nodes, { nodes: 3, replicas: 0, flags });
  await untilWhole(group.nodes, 30_000, { user: "keeper", password: Buffer.from("secret") });
  const [first] = group.nodes;
  if (first === undefined) throw new Error("no node");
  expect((await ask(first, [["PING"]]))[0]).toBe("PONG");
});

test("with TLS, clients, replication and the bus are encrypted, and a client without a certificate is refused", async () => {
  await using group = createNodes(22340, 6);
  const { flags: tls, files } = makeCertificates(group.root);
  const flags = [...tls, "--password-file", passwordFile(group, password)];
  bootAll(group.nodes, { flags });
  const [first] = group.nodes;
  if (first === undefined) throw new Error("no node");
  const address = { ip: "127.0.0.1", port: first.port, busPort: 0 };
  const options = { credentials: { user: undefined, password }, tls: files, deadlineMs: 5_000 };
  await until(
    "six nodes that are ok over TLS",
    async () => {
      try {
        const connection = await connect(address, options);
        const [info, nodes] = await connection.send([
          ["CLUSTER", "INFO"],
          ["CLUSTER", "NODES"],
        ]);
        connection.close();
        return `${info}\n${nodes}`;
      } catch (thrown) {
        return String(thrown);
      }
    },
    (seen) =>
      seen.includes("cluster_state:ok") &&
      (seen.match(/ connected/g) ?? []).length === 6 &&
      (seen.match(/slave/g) ?? []).length === 3,
  );
  const connection = await connect(address, options);
  const [reply] = await connection.send([["CONFIG", "GET", "tls-*"]]);
  connection.close();
  const settings = (reply as string[]).join(" ");
  for (const expected of ["tls-cluster yes", "tls-replication yes", "tls-auth-clients yes"])
    expect(settings).toContain(expected);
  expect(settings).not.toContain("tls-port 0");
  await expect(ask(first, [["PING"]])).rejects.toThrow();
  const room = openRoom();
  const status = await until(
    "a status without problems",
    () => room.run("status", `--connect=127.0.0.1:${first.port}`, ...flags),
    ({ exitCode }) => exitCode === 0,
  );
  expect(status.stdout).toContain("6 nodes");
});
