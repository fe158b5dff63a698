/**
 * One alpha and its betas under Sentinel for your tests, in containers or as processes.
 */
import { defaultImage, RedisBuilder, requireWhole } from "./builder.ts";
import { openContainers } from "./containers.ts";
import type { Controls } from "./controls.ts";
import type { Ground } from "./ground.ts";
import { openProcesses } from "./processes.ts";
import { createSetTopology } from "./set.ts";
import { StartedRedisSentinel } from "./started-sentinel.ts";
import type { Topology } from "./topology.ts";

export interface SentinelOptions {
  /** How many betas (replicas) the alpha has; two by default. */
  readonly betas?: number;
  /** How many Sentinels watch them; three by default. */
  readonly sentinels?: number;
}

abstract class SentinelBuilder extends RedisBuilder<StartedRedisSentinel> {
  readonly #betas: number;
  readonly #sentinels: number;
  #downAfterMs = 1_000;

  constructor({ betas = 2, sentinels = 3 }: SentinelOptions = {}) {
    super();
    requireWhole("the number of betas", betas, 1, 100);
    requireWhole("the number of Sentinels", sentinels, 1, 100);
    this.#betas = betas;
    this.#sentinels = sentinels;
  }

  /** How long the alpha may be silent before a Sentinel calls it down; one second by default. */
  withDownAfter(timeoutMs: number): this {
    requireWhole("the time after which the alpha is down", timeoutMs, 100, 600_000);
    this.#downAfterMs = timeoutMs;
    return this;
  }

  protected override createTopology(): Topology {
    return createSetTopology({
      betas: this.#betas,
      sentinels: this.#sentinels,
      downAfterMs: this.#downAfterMs,
      credentials: this.credentials,
      config: this.config,
    });
  }

  protected override wrap(controls: Controls, end: () => Promise<void>): StartedRedisSentinel {
    return new StartedRedisSentinel(controls, this.password, end);
  }
}

/**
 * A set under Sentinel of containers, of any official image of Redis or Valkey.
 *
 * @example await using redis = await new RedisSentinelContainer({ betas: 2, sentinels: 3 }).start();
 */
export class RedisSentinelContainer extends SentinelBuilder {
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
 * @example await using redis = await new RedisSentinelProcesses({ betas: 2, sentinels: 3 }).start();
 */
export class RedisSentinelProcesses extends SentinelBuilder {
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
