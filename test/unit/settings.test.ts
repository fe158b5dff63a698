import { describe, expect, test } from "vitest";
import { compareNames, parseEndpoint } from "../../src/address.ts";
import { readClusterSettings } from "../../src/cluster/settings.ts";
import { discoverDns } from "../../src/discovery/dns.ts";
import { discoverFixed } from "../../src/discovery/fixed.ts";
import { readUpSettings } from "../../src/local/settings.ts";

const flags = { peers: "a,b,c" };

describe("settings", () => {
  test("a flag wins over its variable, a variable over the default", () => {
    expect(readClusterSettings(flags, {}).port).toBe(6379);
    expect(readClusterSettings(flags, { REKINDLE_PORT: "7000" }).port).toBe(7000);
    expect(readClusterSettings({ ...flags, port: "8000" }, { REKINDLE_PORT: "7000" }).port).toBe(
      8000,
    );
  });
  test("the names of older scripts stay valid, after our own", () => {
    const environment = {
      REDIS_CLUSTER_COUNT: "9",
      REDIS_CLUSTER_REPLICA: "2",
      REDIS_CLUSTER_PORT: "7000",
    };
    expect(readClusterSettings(flags, environment)).toMatchObject({
      nodes: 9,
      replicas: 2,
      port: 7000,
    });
  });
  test("what Kubernetes sets for Services of our names is not taken for a setting", () => {
    const environment = {
      REKINDLE_PORT: "tcp://10.0.0.1:6379",
      REDIS_CLUSTER_PORT: "tcp://10.0.0.2:6379",
      REKINDLE_SERVICE_HOST: "10.0.0.1",
    };
    expect(readClusterSettings(flags, environment).port).toBe(6379);
  });
  test("times are read with their units", () => {
    for (const [text, ms] of [
      ["500ms", 500],
      ["5s", 5_000],
      ["2m", 120_000],
      ["1500", 1_500],
      ["0.5s", 500],
    ] as const) {
      expect(readClusterSettings({ ...flags, nodeTimeout: text }, {}).nodeTimeout).toBe(ms);
    }
    expect(() => readClusterSettings({ ...flags, nodeTimeout: "5 parsecs" }, {})).toThrow(
      '--node-timeout is "5 parsecs"',
    );
  });
  test.each([
    ["7", "1", "6 or 8"],
    ["4", "1", "6"],
    ["10", "2", "9 or 12"],
    ["3", "1", "6"],
  ])(
    "%s nodes with %s replicas do not fit; the nearest that do are named",
    (nodes, replicas, nearest) => {
      expect(() => readClusterSettings({ ...flags, nodes, replicas }, {})).toThrow(
        expect.objectContaining({ hint: expect.stringContaining(`--nodes to ${nearest},`) }),
      );
    },
  );
  test("discovery is inferred, and what is missing for it is named", () => {
    expect(() => readClusterSettings({}, {})).toThrow("no peers are given");
    expect(() => readClusterSettings({ discovery: "dns" }, {})).toThrow("no name to resolve");
    expect(() => readClusterSettings({ ...flags, dns: "redis" }, {})).toThrow("both given");
  });
});

describe("settings of a local cluster or set", () => {
  test.each([
    ["--replicas", { topology: "sentinel", replicas: "1" }, "use --nodes"],
    ["--node-timeout", { topology: "sentinel", nodeTimeout: "1s" }, "use --down-after"],
    ["--down-after", { topology: "cluster", downAfter: "1s" }, "use --node-timeout"],
  ])("%s says nothing in %j and is refused, with what to use", (flag, given, hint) => {
    expect(() => readUpSettings(given, {})).toThrow(
      expect.objectContaining({
        message: `${flag} is not for --topology ${given.topology}`,
        hint: expect.stringContaining(hint),
      }),
    );
  });
  test("a variable of the other topology stands for another day", () => {
    const settings = readUpSettings({ topology: "sentinel" }, { REKINDLE_REPLICAS: "2" });
    expect(settings).toMatchObject({ topology: "sentinel", downAfter: 1_000 });
  });
});

describe("names and addresses", () => {
  test("sort as a person would: digits as numbers", () => {
    expect(["redis-10", "redis-9", "redis-1"].sort(compareNames)).toEqual([
      "redis-1",
      "redis-9",
      "redis-10",
    ]);
    expect(["10.0.0.10:1", "10.0.0.9:1", "9.0.0.1:1"].sort(compareNames)).toEqual([
      "9.0.0.1:1",
      "10.0.0.9:1",
      "10.0.0.10:1",
    ]);
  });
  test("endpoints are read in all their forms", () => {
    expect(parseEndpoint("redis-0", 6379)).toEqual({
      host: "redis-0",
      port: 6379,
      busPort: 16_379,
    });
    expect(parseEndpoint("10.0.0.1:7000@7001", 6379)).toEqual({
      host: "10.0.0.1",
      port: 7000,
      busPort: 7001,
    });
    expect(parseEndpoint("[2001:db8::1]:7000", 6379)).toMatchObject({
      host: "2001:db8::1",
      port: 7000,
    });
    expect(parseEndpoint("2001:db8::1", 6379)).toMatchObject({ host: "2001:db8::1", port: 6379 });
    for (const text of ["", "a b", "a:b", "[10.0.0.1]:1", "a:60000", "a:0"])
      expect(() => parseEndpoint(text, 6379), text).toThrow();
  });
});

describe("discovery", () => {
  const fixed = { port: 7001, busPort: undefined, address: undefined, lookupDeadlineMs: 5_000 };
  test("fixed finds this node by its address, and the others sorted", async () => {
    const { self, others } = await discoverFixed({
      ...fixed,
      peers: ["127.0.0.1:7010", "127.0.0.1:7001", "127.0.0.1:7009"],
    }).find();
    expect(self?.name).toBe("127.0.0.1:7001");
    expect(others.map((peer) => peer.name)).toEqual(["127.0.0.1:7009", "127.0.0.1:7010"]);
  });
  test("fixed: several that are this node need --address", async () => {
    const peers = ["127.0.0.1:7001", "[::1]:7001"];
    await expect(discoverFixed({ ...fixed, peers }).find()).rejects.toThrow(
      "several peers are this machine",
    );
    expect((await discoverFixed({ ...fixed, peers, address: "::1" }).find()).self?.name).toBe(
      "[::1]:7001",
    );
  });
  test("dns that does not resolve is a reason to wait, not an error", async () => {
    const found = await discoverDns({
      ...fixed,
      name: "no-such-name.invalid",
      family: "auto",
    }).find();
    expect(found).toMatchObject({
      self: undefined,
      others: [],
      selfWaitingFor: expect.stringContaining("does not resolve"),
    });
  });
});
