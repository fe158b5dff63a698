/**
 * A Redis Cluster for your tests, in containers or as processes.
 */

import { defaultImage, RedisBuilder, requireWhole } from "./builder.ts";
import { createClusterTopology } from "./cluster.ts";
import { complain } from "./complain.ts";
import { openContainers } from "./containers.ts";
import type { Controls } from "./controls.ts";
import type { Ground } from "./ground.ts";
import { openProcesses } from "./processes.ts";
import { StartedRedisCluster } from "./started-cluster.ts";
import type { Topology } from "./topology.ts";

export interface ClusterOptions {
  /** How many alphas (masters) share the slots: three or more. Three by default. */
  readonly alphas?: number;
  /** How many betas (replicas) each of them has; one by default. */
  readonly betasPerAlpha?: number;
}

abstract class ClusterBuilder extends RedisBuilder<StartedRedisCluster> {
  readonly #alphas: number;
  readonly #betasPerAlpha: number;
  #nodeTimeoutMs = 2_000;

  constructor({ alphas = 3, betasPerAlpha = 1 }: ClusterOptions = {}) {
    super();
    requireWhole("the number of alphas", alphas, 1, 100);
    requireWhole("the number of betas of each alpha", betasPerAlpha, 0, 10);
    if (alphas < 3)
      throw complain(
        `a cluster of ${alphas} ${alphas === 1 ? "alpha" : "alphas"} cannot replace one that is lost`,
        "choose three or more",
      );
    this.#alphas = alphas;
    this.#betasPerAlpha = betasPerAlpha;
  }

  /** cluster-node-timeout: how long a node may be silent before it counts as lost; two seconds by default. */
  withNodeTimeout(timeoutMs: number): this {
    requireWhole("the node timeout", timeoutMs, 100, 600_000);
    this.#nodeTimeoutMs = timeoutMs;
    return this;
  }

  protected override createTopology({ announcedHost }: Ground): Topology {
    return createClusterTopology({
      alphas: this.#alphas,
      betasPerAlpha: this.#betasPerAlpha,
      nodeTimeoutMs: this.#nodeTimeoutMs,
      credentials: this.credentials,
      config: this.config,
      announcedHost,
    });
  }

  protected override wrap(controls: Controls, end: () => Promise<void>): StartedRedisCluster {
    return new StartedRedisCluster(controls, this.password, end);
  }
}

/**
 * A Redis Cluster of containers, of any official image of Redis or Valkey.
 *
 * @example await using redis = await new RedisClusterContainer({ alphas: 3, betasPerAlpha: 1 }).start();
 */
export class RedisClusterContainer extends ClusterBuilder {
  #image = defaultImage;

  /** The image; `redis:8.0` by default. It is pulled where it is not there. */
  withImage(image: string): this {
    this.#image = image;
    return this;
  }

  protected override openGround(): Promise<Ground> {
    return openContainers({ image: this.#image, firstPort: this.firstPort });
  }
}

/**
 * The same of processes on loopback, without Docker: of the redis-server or valkey-server of this machine.
 *
 * @example await using redis = await new RedisClusterProcesses({ alphas: 3, betasPerAlpha: 1 }).start();
 */
export class RedisClusterProcesses extends ClusterBuilder {
  #server: string | undefined;

  /** The server's executable; the one on the PATH by default. */
  withServer(path: string): this {
    this.#server = path;
    return this;
  }

  protected override openGround(): Promise<Ground> {
    return openProcesses({
      server: this.#server,
      firstPort: this.firstPort,
      credentials: this.credentials,
    });
  }
}
