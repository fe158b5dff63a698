/** What the members of a set say of it, asked one by one. */
import { parseNodes, type SlotRange } from "../../src/cluster/nodes.ts";
import { connect } from "../../src/redis/connection.ts";
import { parseInfo } from "../../src/redis/info.ts";
import type { Command, Reply } from "../../src/redis/resp.ts";
import type { Host, World } from "./world.ts";

export interface View {
  readonly name: string;
  readonly life: number;
  readonly ip: string;
  readonly atMs: number;
  /** `ok`, what else it says, or why it does not answer. */
  readonly state: string;
  readonly role: "alpha" | "beta" | "sentinel" | "unknown";
  readonly id: string;
  /** Its alpha: a node id in a cluster, an address under Sentinel. */
  readonly alpha: string;
  readonly slots: readonly SlotRange[];
  readonly epoch: number;
  readonly isInSync: boolean;
  /** Which stream of changes its data is of, and how far. */
  readonly history: string;
  readonly offset: number;
  /** Ids of a cluster's nodes. */
  readonly knows: readonly string[];
  /** How many betas and other Sentinels a Sentinel knows. */
  readonly betas: number;
  readonly watchers: number;
  readonly failed: number;
}

export const noPassword = { user: undefined, password: undefined } as const;
const deadlineMs = 1_000;

export async function askOnce(
  ip: string,
  port: number,
  commands: readonly Command[],
  withinMs = deadlineMs,
): Promise<readonly Reply[]> {
  const options = { credentials: noPassword, tls: undefined, deadlineMs: withinMs };
  const connection = await connect({ ip, port, busPort: 0 }, options);
  try {
    return await connection.send(commands);
  } finally {
    connection.close();
  }
}

export async function lookAt(host: Host, world: World): Promise<View> {
  const ip = world.network.addressOf(host.name);
  const nothing: View = {
    name: host.name,
    life: host.main.life,
    ip,
    atMs: performance.now(),
    state: "silent",
    role: "unknown",
    id: "",
    alpha: "",
    slots: [],
    epoch: 0,
    isInSync: false,
    history: "",
    offset: 0,
    knows: [],
    betas: 0,
    watchers: 0,
    failed: 0,
  };
  try {
    const seen =
      host.kind === "sentinel"
        ? await lookAtSentinel(ip, world.sentinelPort)
        : await lookAtNode(ip, world);
    return { ...nothing, ...seen, atMs: performance.now() };
  } catch (thrown) {
    return { ...nothing, state: (thrown as Error).message, atMs: performance.now() };
  }
}

async function lookAtNode(ip: string, { port, topology }: World): Promise<Partial<View>> {
  const more: readonly Command[] =
    topology === "cluster"
      ? [
          ["CLUSTER", "NODES"],
          ["CLUSTER", "INFO"],
        ]
      : [];
  const [replication, nodes, cluster] = await askOnce(ip, port, [["INFO", "replication"], ...more]);
  const info = parseInfo(String(replication));
  const isAlpha = info.get("role") === "master";
  if (info.get("role") === undefined) return { state: String(replication) };
  const common = {
    role: isAlpha ? ("alpha" as const) : ("beta" as const),
    history: info.get("master_replid") ?? "",
    offset: Number(info.get(isAlpha ? "master_repl_offset" : "slave_repl_offset")),
    isInSync:
      isAlpha ||
      (info.get("master_link_status") === "up" && info.get("master_sync_in_progress") === "0"),
  };
  if (topology === "sentinel")
    return {
      ...common,
      state: "ok",
      id: ip,
      alpha: isAlpha ? "" : (info.get("master_host") ?? ""),
    };
  const table = parseNodes(String(nodes));
  const myself = table.nodes.find(({ flags }) => flags.includes("myself"));
  return {
    ...common,
    state: parseInfo(String(cluster)).get("cluster_state") ?? "?",
    id: myself?.id ?? "",
    alpha: myself?.alphaId ?? "",
    slots: myself?.slots ?? [],
    epoch: myself?.epoch ?? 0,
    knows: table.nodes.map(({ id }) => id).sort(),
    failed: table.nodes.filter(({ flags }) => flags.some((flag) => flag.startsWith("fail"))).length,
  };
}

async function lookAtSentinel(ip: string, port: number): Promise<Partial<View>> {
  const [master, quorum, betas, others] = await askOnce(ip, port, [
    ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"],
    ["SENTINEL", "CKQUORUM", "mymaster"],
    ["SENTINEL", "REPLICAS", "mymaster"],
    ["SENTINEL", "SENTINELS", "mymaster"],
  ]);
  const count = (reply: unknown) => (Array.isArray(reply) ? reply.length : -1);
  return {
    role: "sentinel",
    state: String(quorum).startsWith("OK") ? "ok" : String(quorum),
    alpha: Array.isArray(master) ? String(master[0]) : "",
    betas: count(betas),
    watchers: count(others),
    isInSync: true,
  };
}
