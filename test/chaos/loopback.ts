/** Without privileges: every member at a loopback address of its own. Nothing can be cut, and nobody asks a name server. */
import type { Network } from "./network.ts";

/** macOS has one loopback address only. */
export const hasLoopbackAddresses = (): boolean => process.platform === "linux";

let opened = 0;

export function openLoopback(): Network {
  const addresses = new Map<string, string>();
  let used = 0;
  const net = 1 + ((process.pid + opened++) % 200);
  const next = (name: string): string => {
    used++;
    const ip = `127.${net}.${Math.floor(used / 200)}.${1 + (used % 200)}`;
    addresses.set(name, ip);
    return ip;
  };
  return {
    abilities: new Set(),
    ownIp: "127.0.0.1",
    attach: async (name) => next(name),
    move: async (name) => next(name),
    addressOf: (name) => addresses.get(name) ?? "",
    nameOf: (name) => name,
    inside: (_name, argv) => argv,
    cut: async () => 0,
    slow: async () => 0,
    async [Symbol.asyncDispose]() {},
  };
}
