import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { renderConfiguration, type ServerOptions } from "../../src/redis/configuration.ts";
import {
  quoteArgument,
  readUserConfiguration,
  splitArguments,
} from "../../src/redis/user-configuration.ts";

const cluster = {
  kind: "cluster",
  nodesFile: "nodes.conf",
  busPort: 16_379,
  nodeTimeoutMs: 5_000,
} as const;
const options: ServerOptions = {
  userFile: undefined,
  directives: [],
  server: {
    path: "/usr/bin/redis-server",
    hasBusPort: true,
    hasChannelRules: true,
    hasHostnames: true,
  },
  dir: "/data",
  ip: "10.0.0.1",
  port: 6379,
  mode: cluster,
  credentials: { user: undefined, password: undefined },
  tls: undefined,
};

const directive = (name: string, ...values: string[]) => ({
  name,
  values,
  file: "/etc/redis.conf",
  line: 1,
});

test("any bytes survive quoting and reading", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const buffer = Buffer.from(bytes);
      const quoted = quoteArgument(buffer);
      expect(quoted).toMatch(/^[\x20-\x7e]*$/);
      expect(Buffer.from(splitArguments(quoted)?.[0] ?? "", "latin1")).toEqual(buffer);
    }),
  );
});

test("words are split as the server splits them", () => {
  expect(splitArguments(`save 900 1 "a b" 'c \\' d' "\\x41\\n"`)).toEqual([
    "save",
    "900",
    "1",
    "a b",
    "c ' d",
    "A\n",
  ]);
  expect(splitArguments('"open')).toBe(undefined);
  expect(splitArguments('"a"b')).toBe(undefined);
});

test("included files count, and a circle of them is named", () => {
  const dir = mkdtempSync(join(tmpdir(), "rekindle-conf-"));
  writeFileSync(join(dir, "b.conf"), "appendonly yes\n");
  writeFileSync(join(dir, "a.conf"), `# comment\nMAXMEMORY 1mb\ninclude ${join(dir, "b.conf")}\n`);
  expect(readUserConfiguration(join(dir, "a.conf")).map((one) => one.name)).toEqual([
    "maxmemory",
    "appendonly",
  ]);
  writeFileSync(join(dir, "c.conf"), `include ${join(dir, "c.conf")}\n`);
  expect(() => readUserConfiguration(join(dir, "c.conf"))).toThrow("includes itself");
});

test("what agrees with ours is no contradiction; what differs is named with its line", () => {
  expect(() =>
    renderConfiguration({
      ...options,
      directives: [directive("port", "6379"), directive("dir", "/data")],
    }),
  ).not.toThrow();
  expect(() =>
    renderConfiguration({ ...options, directives: [directive("cluster-enabled", "no")] }),
  ).toThrow('cluster-enabled is "no" in /etc/redis.conf, line 1');
});

test("a password is written quoted, for clients and for replication, and never for a contradiction's message", () => {
  const password = Buffer.from('p "q"');
  const text = renderConfiguration({ ...options, credentials: { user: undefined, password } });
  expect(text).toContain('requirepass "p \\"q\\""');
  expect(text).toContain('masterauth "p \\"q\\""');
  const wrong = {
    ...options,
    credentials: { user: undefined, password },
    directives: [directive("requirepass", "theirs")],
  };
  expect(() => renderConfiguration(wrong)).toThrow(/^(?!.*(theirs|p "q")).*requirepass/);
});

test("what the user sets of our defaults stays", () => {
  expect(renderConfiguration(options)).toContain("repl-diskless-sync-delay 0");
  expect(
    renderConfiguration({ ...options, directives: [directive("repl-diskless-sync-delay", "3")] }),
  ).not.toContain("repl-diskless-sync-delay");
});

test("a bus port of its own needs a server that knows it", () => {
  const elsewhere = { ...options, mode: { ...cluster, busPort: 7000 } };
  expect(renderConfiguration(elsewhere)).toContain("cluster-port 7000");
  expect(() =>
    renderConfiguration({
      ...elsewhere,
      server: { ...options.server, hasBusPort: false },
    }),
  ).toThrow("bus port 7000");
});

test("under Sentinel a beta copies its alpha, each announces where it is, and neither is a cluster node", () => {
  const nothing = { alpha: undefined, announcedAs: undefined, minReplicasToWrite: undefined };
  const mode = { kind: "replication", ...nothing } as const;
  const alpha = renderConfiguration({ ...options, mode });
  expect(alpha).toContain('replica-announce-ip "10.0.0.1"\nreplica-announce-port 6379\n');
  expect(alpha).not.toMatch(/replicaof|cluster|min-replicas/);
  const at = { host: "10.0.0.2", port: 6380 };
  const beta = renderConfiguration({
    ...options,
    mode: { ...mode, alpha: at, minReplicasToWrite: 1 },
  });
  expect(beta).toContain('replicaof "10.0.0.2" 6380');
  expect(beta).toContain("min-replicas-to-write 1");
  const named = { ...mode, announcedAs: "redis-0.redis" };
  expect(renderConfiguration({ ...options, mode: named })).toContain(
    'replica-announce-ip "redis-0.redis"\nreplica-announce-port 6379\n',
  );
  const old = { ...options.server, hasHostnames: false };
  expect(() => renderConfiguration({ ...options, server: old, mode: named })).toThrow(
    "/usr/bin/redis-server is older than 6.2.7",
  );
  const wrong = [directive("replicaof", "10.0.0.9", "6379"), directive("cluster-enabled", "yes")];
  expect(() => renderConfiguration({ ...options, mode, directives: wrong })).toThrow(
    /replicaof in .*roles are Rekindle's to give.*cluster-enabled in .*rekindle cluster/,
  );
});
