/**
 * What a waiting entrypoint said, checked: it comes from the network.
 */
import type { Reply } from "../redis/resp.ts";
import type { DiskFacts, PeerView, WaitingEntrypoint } from "./types.ts";

/** `announcedAs`: the name by which it will be known as a server. */
export type Told = Omit<WaitingEntrypoint, "state"> & Pick<PeerView, "announcedAs">;

/** Undefined for anything else. */
export function readWaiting(
  reply: Reply | undefined,
): (Pick<PeerView, "announcedAs"> & { readonly seen: WaitingEntrypoint }) | undefined {
  if (typeof reply !== "string") return undefined;
  try {
    const { hostname, disk, claims, announcedAs } = JSON.parse(reply) as {
      hostname: unknown;
      announcedAs: unknown;
      disk: Partial<DiskFacts> | undefined;
      claims: unknown;
    };
    const kind = (["none", "rdb", "aof"] as const).find((one) => one === disk?.kind);
    if (kind === undefined || typeof hostname !== "string") return undefined;
    const writtenAtMs = Number(disk?.writtenAtMs);
    if (!Number.isFinite(writtenAtMs)) return undefined;
    const facts = { kind, writtenAtMs, wasAlpha: disk?.wasAlpha === true };
    return {
      announcedAs: typeof announcedAs === "string" ? announcedAs : undefined,
      seen: { state: "waiting", hostname, disk: facts, claims: claims === true },
    };
  } catch {
    return undefined;
  }
}
