/**
 * A network of its own for each member (as root on Linux): a namespace each, joined by a bridge in one more, so that no rule of the
 * machine's own applies. What is dropped is dropped by iptables in the member's namespace.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { Ability, Cut, Network } from "./network.ts";
import { run, succeeds } from "./run-command.ts";

/** Whether this machine can; tried once. */
export function hasNamespaces(): Promise<boolean> {
  tried ??= tryNamespaces();
  return tried;
}
let tried: Promise<boolean> | undefined;

async function tryNamespaces(): Promise<boolean> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const name = `rk-try-${process.pid}`;
  const works =
    (await succeeds("ip", ["netns", "add", name])) &&
    (await succeeds("ip", ["netns", "exec", name, "iptables", "-w", "-L"]));
  await succeeds("ip", ["netns", "delete", name]);
  return works;
}

interface Member {
  ip: string;
  lossPercent: number;
}

/** Containers that hold a namespace each, in place of one that nobody lives in. */
export interface Pods {
  make(namespace: string, member: string, nameServer: string, image: string): Promise<void>;
  remove(namespace: string): Promise<void>;
  readonly image: string;
}

export async function openNamespaces(pods?: Pods): Promise<Network> {
  const net = await claimNet();
  const nameOf = (member: string): string => nameIn(net, member);
  const hub = nameOf("hub");
  const ownIp = `10.${net}.0.1`;
  const outside = `rk${net}h`;
  const members = new Map<string, Member>();
  let used = 0;
  let cuts: readonly Cut[] = [];
  const ip = (...args: string[]) => run("ip", args);
  const within = (member: string, ...argv: string[]) =>
    run("ip", ["netns", "exec", nameOf(member), ...argv]);
  const nextIp = (): string => {
    used++;
    return `10.${net}.${1 + Math.floor(used / 200)}.${1 + (used % 200)}`;
  };

  await ip("-n", hub, "link", "add", "br0", "type", "bridge");
  await ip("-n", hub, "link", "set", "br0", "up");
  await ip("link", "add", outside, "type", "veth", "peer", "name", "out", "netns", hub);
  await ip("address", "add", `${ownIp}/16`, "dev", outside);
  await ip("link", "set", outside, "up");
  await ip("-n", hub, "link", "set", "out", "master", "br0", "up");

  /** The rules of one member, all of them anew. @returns how many packets the old ones dropped. */
  async function applyRules(name: string): Promise<number> {
    const saved = await within(name, "iptables-save", "-c");
    const dropped = [...saved.matchAll(/^\[(\d+):\d+\] -A INPUT .*DROP/gm)];
    const { lossPercent } = members.get(name) as Member;
    const rules = cuts.flatMap(([from, to]) => {
      const ip = members.get(from)?.ip ?? (from === "clients" ? ownIp : undefined);
      return to === name && ip ? [["-s", ip, "-j", "DROP"]] : [];
    });
    if (lossPercent > 0) {
      const probability = `${lossPercent / 100}`;
      rules.push([
        "-m",
        "statistic",
        "--mode",
        "random",
        "--probability",
        probability,
        "-j",
        "DROP",
      ]);
    }
    await within(name, "iptables", "-w", "-F", "INPUT");
    for (const rule of rules) await within(name, "iptables", "-w", "-A", "INPUT", ...rule);
    return dropped.reduce((sum, [, count]) => sum + Number(count), 0);
  }

  return {
    abilities: new Set<Ability>(["cut", "slow", "dns", "disk-full", "out-of-memory"]),
    ownIp,
    async attach(name) {
      const own = nameOf(name);
      // What `ip netns exec` lays over /etc.
      mkdirSync(`/etc/netns/${own}`, { recursive: true });
      writeFileSync(`/etc/netns/${own}/resolv.conf`, `nameserver ${ownIp}\n`);
      writeFileSync(`/etc/netns/${own}/hosts`, "127.0.0.1 localhost\n");
      if (pods) await pods.make(own, name, ownIp, pods.image);
      else await ip("netns", "add", own);
      await ip(
        "-n",
        hub,
        "link",
        "add",
        name,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        own,
      );
      await ip("-n", hub, "link", "set", name, "master", "br0", "up");
      await ip("-n", own, "link", "set", "lo", "up");
      await ip("-n", own, "link", "set", "eth0", "up");
      const address = nextIp();
      await ip("-n", own, "address", "add", `${address}/16`, "dev", "eth0");
      members.set(name, { ip: address, lossPercent: 0 });
      return address;
    },
    async move(name) {
      const address = nextIp();
      await ip("-n", nameOf(name), "address", "flush", "dev", "eth0");
      await ip("-n", nameOf(name), "address", "add", `${address}/16`, "dev", "eth0");
      (members.get(name) as Member).ip = address;
      for (const to of new Set(cuts.map(([, to]) => to))) await applyRules(to);
      return address;
    },
    addressOf: (name) => members.get(name)?.ip ?? "",
    nameOf,
    // A host name of its own, too: Sentinels are told apart by it.
    inside: (name, argv) => [
      ...["ip", "netns", "exec", nameOf(name), "unshare", "--uts"],
      ...["sh", "-c", 'hostname "$0" && exec "$@"', name, ...argv],
    ],
    async cut(next) {
      const touched = new Set([...cuts, ...next].map(([, to]) => to));
      cuts = next;
      let dropped = 0;
      for (const name of touched) if (members.has(name)) dropped += await applyRules(name);
      return dropped;
    },
    async slow(name, lossPercent) {
      (members.get(name) as Member).lossPercent = lossPercent;
      const dropped = await applyRules(name);
      const netns = ["netns", "exec", nameOf(name), "tc", "qdisc"];
      if (lossPercent === 0) await succeeds("ip", [...netns, "del", "dev", "eth0", "root"]);
      else {
        const late = ["netem", "delay", "60ms", "30ms"];
        // Where the kernel has no netem: a narrow way, on which packets queue.
        if (!(await succeeds("ip", [...netns, "replace", "dev", "eth0", "root", ...late])))
          await ip(
            ...netns,
            ..."replace dev eth0 root tbf rate 4mbit burst 20kb latency 200ms".split(" "),
          );
      }
      return dropped;
    },
    async [Symbol.asyncDispose]() {
      if (pods) await Promise.all([...members.keys()].map((name) => pods.remove(nameOf(name))));
      for (const name of [...members.keys(), "hub"]) {
        await succeeds("ip", ["netns", "delete", nameOf(name)]);
        rmSync(`/etc/netns/${nameOf(name)}`, { recursive: true, force: true });
      }
      await succeeds("ip", ["link", "delete", outside]);
    },
  };
}

const nameIn = (net: number, member: string): string => `rk-${net}-${member}`;

/** The second number of 10.x.0.0/16, of which this machine has nothing. Whoever makes the namespace of its hub has it. */
async function claimNet(): Promise<number> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  for (let net = 200; net < 250; net++) {
    if (addresses.some(({ address }) => address.startsWith(`10.${net}.`))) continue;
    if (await succeeds("ip", ["netns", "add", nameIn(net, "hub")])) return net;
  }
  throw new Error("no network of 10.200.0.0 to 10.249.0.0 is free on this machine");
}
