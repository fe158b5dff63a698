/**
 * What was started: every kind has this.
 */
import type { Controls, HealthyOptions, NatMap, RedisNode, RestartOptions } from "./controls.ts";

/** @typeParam C the client that `client()` gives. */
export abstract class StartedRedis<C extends { disconnect(): void }> implements AsyncDisposable {
  protected readonly controls: Controls;
  protected readonly password: string | undefined;
  readonly #end: () => Promise<void>;
  readonly #clients = new Set<C>();
  #ending: Promise<void> | undefined;

  /** @internal */
  constructor(controls: Controls, password: string | undefined, end: () => Promise<void>) {
    this.controls = controls;
    this.password = password;
    this.#end = end;
  }

  /** All nodes, alphas and betas alike. */
  get nodes(): readonly RedisNode[] {
    return this.controls.list(false);
  }

  /**
   * Where this machine reaches what servers call by addresses of their own network; as ioredis' and iovalkey's
   * `natMap` and
   * node-redis' `nodeAddressMap`. One object, that is kept up to date.
   */
  get natMap(): NatMap {
    return this.controls.natMap;
  }

  /** Kills all at once, as when the power fails, and starts all again, each with its disk. */
  restartAll(options?: RestartOptions): Promise<void> {
    return this.controls.restartAll(options);
  }

  /**
   * Waits until everything that you have not broken is whole, and does what Redis leaves to others on the way:
   * introduces nodes at new addresses, makes
   * replacements join, has those that are gone forgotten.
   *
   * @throws Error after the time is up, naming what is not whole; at once where a server has ended by itself.
   */
  healthy(options?: HealthyOptions): Promise<void> {
    return this.controls.healthy(options);
  }

  /** Disconnects the clients that were given out, and removes every server with its disk. */
  stop(): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    this.#ending ??= this.#end();
    return this.#ending;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  protected adopt(client: C): C {
    this.#clients.add(client);
    return client;
  }
}
