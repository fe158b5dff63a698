/**
 * What every builder has, whatever it starts and wherever.
 */

import type { Credentials } from "../redis/connection.ts";
import { complain } from "./complain.ts";
import { checkDirectives, type Directives } from "./configuration.ts";
import { type Controls, startAll } from "./controls.ts";
import type { Ground } from "./ground.ts";
import type { Topology } from "./topology.ts";

export const defaultImage = "redis:8.0";

/** @typeParam S what `start()` gives. */
export abstract class RedisBuilder<S> {
  protected password: string | undefined;
  protected config: Directives = {};
  protected firstPort: number | undefined;
  private startupTimeoutMs = 60_000;

  /** Clients have to give it, and the nodes give it to each other. */
  withPassword(password: string): this {
    if (password === "" || /[\r\n\0]/.test(password))
      throw complain("the password is empty, or not on one line", "choose another");
    this.password = password;
    return this;
  }

  /** Directives of redis.conf for every node: `{ "maxmemory": "64mb", "maxmemory-policy": "allkeys-lru" }`. */
  withConfig(config: Readonly<Record<string, string>>): this {
    checkDirectives(config);
    this.config = { ...this.config, ...config };
    return this;
  }

  /** The first of the ports that servers listen at; without it, ports that are free, somewhere below 22500. */
  withFirstPort(port: number): this {
    requireWhole("the first port", port, 1, 55_535);
    this.firstPort = port;
    return this;
  }

  /** How long until all is whole; a minute by default. */
  withStartupTimeout(timeoutMs: number): this {
    requireWhole("the startup timeout", timeoutMs, 1, 3_600_000);
    this.startupTimeoutMs = timeoutMs;
    return this;
  }

  /** Starts all servers at once, and waits until they are whole. Where that fails, nothing of them is left. */
  async start(): Promise<S> {
    const ground = await this.openGround();
    const topology = this.createTopology(ground);
    const end = async () => {
      topology.close();
      await ground.end();
    };
    try {
      return this.wrap(await startAll(ground, topology, this.startupTimeoutMs), end);
    } catch (thrown) {
      await end();
      throw thrown;
    }
  }

  protected get credentials(): Credentials {
    return {
      user: undefined,
      password: this.password === undefined ? undefined : Buffer.from(this.password),
    };
  }

  protected abstract openGround(): Promise<Ground>;
  protected abstract createTopology(ground: Ground): Topology;
  protected abstract wrap(controls: Controls, end: () => Promise<void>): S;
}

/** @throws Error naming what is no whole number in the range. */
export function requireWhole(what: string, value: number, from: number, to: number): void {
  if (Number.isInteger(value) && value >= from && value <= to) return;
  throw complain(`${what} is ${value}`, `choose a whole number from ${from} to ${to}`);
}
