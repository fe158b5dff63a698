import { Redis, type RedisOptions } from "ioredis";
import { localSetName } from "../local/members.ts";
import type { NatMap, RedisNode, RoleHolder } from "./controls.ts";
import type { HostPort } from "./ground.ts";
import { StartedRedis } from "./started.ts";

/** As ioredis takes them. */
export type SentinelClientOptions = Omit<RedisOptions, "replyMapping">;

/** One alpha and its betas under Sentinel that run. */
export class StartedRedisSentinel extends StartedRedis<Redis> {
  get sentinels(): readonly RedisNode[] {
    return this.controls.list(true);
  }

  /** For clients of any kind: where the Sentinels are, by what name they know the alpha, and what the nodes ask for. */
  get connectionDetails(): {
    readonly sentinels: readonly HostPort[];
    readonly name: string;
    readonly password?: string;
    readonly natMap: NatMap;
  } {
    const sentinels = this.sentinels.map(({ host, port }) => ({ host, port }));
    const access = this.password === undefined ? {} : { password: this.password };
    return { sentinels, name: localSetName, natMap: this.natMap, ...access };
  }

  /**
   * A connected client of the alpha, until `stop()`; it asks the Sentinels who that is.
   *
   * @param options of your own.
   */
  client(options: SentinelClientOptions = {}): Redis {
    const { sentinels, ...access } = this.connectionDetails;
    const client = new Redis(Object.assign({ sentinels: [...sentinels], ...access }, options));
    // What goes wrong the commands tell; without a listener the console would, too.
    client.on("error", () => {});
    return this.adopt(client);
  }

  /**
   * The alpha: found at the first call, and from then on that node, whatever it becomes. The key is there for the
   * sake of clusters.
   */
  alphaOf(key = ""): RoleHolder {
    return this.controls.holder(key, ({ alpha }) => alpha);
  }

  /** The first beta. */
  betaOf(key = ""): RoleHolder {
    return this.controls.holder(key, ({ betas }) => betas[0]);
  }
}
