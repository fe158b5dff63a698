import { Cluster } from "ioredis";
import type { NatMap, RoleHolder } from "./controls.ts";
import type { HostPort } from "./ground.ts";
import { StartedRedis } from "./started.ts";

/** As ioredis takes them. */
export type ClusterClientOptions = NonNullable<ConstructorParameters<typeof Cluster>[1]>;

/** A Redis Cluster that runs. */
export class StartedRedisCluster extends StartedRedis<Cluster> {
  /** For clients of any kind: where the nodes are, and what they ask for. */
  get connectionDetails(): {
    readonly nodes: readonly HostPort[];
    readonly password?: string;
    readonly natMap: NatMap;
  } {
    const nodes = this.nodes.map(({ host, port }) => ({ host, port }));
    return {
      nodes,
      natMap: this.natMap,
      ...(this.password !== undefined && { password: this.password }),
    };
  }

  /**
   * A connected client, until `stop()`.
   *
   * @param options of your own.
   */
  client(options: ClusterClientOptions = {}): Cluster {
    const { nodes, natMap, password } = this.connectionDetails;
    const access: { password?: string } = password === undefined ? {} : { password };
    const redisOptions = Object.assign(access, options.redisOptions);
    const client = new Cluster([...nodes], { natMap, ...options, redisOptions });
    // What goes wrong the commands tell; without a listener the console would, too.
    client.on("error", () => {});
    return this.adopt(client);
  }

  /** Who has this key: found at the first call, and from then on that node, whatever it becomes. */
  alphaOf(key: string): RoleHolder {
    return this.controls.holder(key, ({ alpha }) => alpha);
  }

  /** The first beta of whoever has this key. */
  betaOf(key: string): RoleHolder {
    return this.controls.holder(key, ({ betas }) => betas[0]);
  }
}
