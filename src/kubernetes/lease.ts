/**
 * A Lease as a lock: one at a time founds or heals. Who holds it renews it; who sees it unchanged for its whole duration, by
 * the own clock, may take it (as Kubernetes' leader election does, which needs no clocks that agree).
 */
import { randomUUID } from "node:crypto";
import { RekindleError } from "../errors.ts";
import { type Api, ApiError, asLastingFault, describeTrouble } from "./api.ts";
import type { Lease, OwnerReference } from "./types.ts";

export type Holding =
  | { readonly held: true; readonly foundedAt: string | undefined }
  | { readonly held: false; readonly why: string };

export interface Lock {
  /**
   * Takes the Lease, or renews it.
   *
   * @param isAround whether the pod of this name is still among the peers: who is gone holds nothing.
   * @throws RekindleError where the right to Leases is missing.
   */
  hold(isAround: (pod: string) => boolean): Promise<Holding>;
  /** Writes down that the cluster was founded, for whoever comes later. */
  markFounded(at: string): Promise<void>;
  release(): Promise<void>;
}

const durationSeconds = 15;
/** Often enough that a slow API server does not cost us the Lease. */
const renewAfterMs = 4_000;
const foundedAnnotation = "rekindle/founded-at";

/**
 * @param lease its name, and whose end is its end too.
 * @param who the own pod and verb: a container that was restarted in its pod takes its own Lease back at once.
 * @param now a clock in milliseconds that only goes forward.
 */
export function createLock(
  api: Api,
  { name, owner }: { readonly name: string; readonly owner: OwnerReference | undefined },
  who: { readonly pod: string; readonly verb: string },
  now: () => number,
): Lock {
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${api.namespace}/leases`;
  const identity = `${who.pod}_${who.verb}`;
  const holder = `${identity}_${randomUUID().slice(0, 8)}`;
  let mine: { lease: Lease; renewedAt: number } | undefined;
  let seen: { version: string | undefined; since: number } | undefined;

  const put = (lease: Lease): Promise<Lease> =>
    api.send<Lease>("PUT", `${collection}/${name}`, lease).catch(orMissingRight("update"));
  const orMissingRight =
    (verb: "get" | "create" | "update") =>
    (thrown: unknown): never => {
      const rule = { verb, group: "coordination.k8s.io", resource: "leases" } as const;
      throw asLastingFault(api, thrown, rule) ?? thrown;
    };

  async function read(): Promise<Lease> {
    try {
      return await api.send<Lease>("GET", `${collection}/${name}`);
    } catch (thrown) {
      if (!(thrown instanceof ApiError && thrown.status === 404))
        return orMissingRight("get")(thrown);
      const blank = {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name, ...(owner && { ownerReferences: [owner] }) },
        spec: {},
      };
      return api.send<Lease>("POST", collection, blank).catch(orMissingRight("create"));
    }
  }

  function isFree(lease: Lease, isAround: (pod: string) => boolean): boolean {
    const other = lease.spec.holderIdentity;
    if (!other || other.startsWith(`${identity}_`) || !isAround(podOf(other))) return true;
    const version = lease.metadata.resourceVersion;
    const since = seen?.version === version ? (seen?.since ?? now()) : now();
    seen = { version, since };
    return now() - since >= (lease.spec.leaseDurationSeconds ?? durationSeconds) * 1_000;
  }

  async function take(lease: Lease): Promise<Holding> {
    const wasMine = lease.spec.holderIdentity === holder;
    // MicroTime: six digits after the second.
    const time = new Date().toISOString().replace("Z", "000Z");
    const spec = {
      holderIdentity: holder,
      leaseDurationSeconds: durationSeconds,
      acquireTime: wasMine ? (lease.spec.acquireTime ?? time) : time,
      renewTime: time,
      leaseTransitions: (lease.spec.leaseTransitions ?? 0) + (wasMine ? 0 : 1),
    };
    mine = { lease: await put({ ...lease, spec }), renewedAt: now() };
    return held(mine.lease);
  }

  return {
    async hold(isAround) {
      if (mine && now() - mine.renewedAt < renewAfterMs) return held(mine.lease);
      mine = undefined;
      try {
        const lease = await read();
        if (isFree(lease, isAround)) return await take(lease);
        return {
          held: false,
          why: `${podOf(lease.spec.holderIdentity ?? "")} holds the Lease ${name}`,
        };
      } catch (thrown) {
        if (thrown instanceof RekindleError) throw thrown;
        // The version that we read is not the last any more: somebody else was quicker.
        const isLate = thrown instanceof ApiError && thrown.status === 409;
        return {
          held: false,
          why: isLate
            ? `somebody else has just taken the Lease ${name}`
            : describeTrouble(api, thrown),
        };
      }
    },
    async markFounded(at) {
      if (!mine) return;
      const { metadata } = mine.lease;
      const annotations = { ...metadata.annotations, [foundedAnnotation]: at };
      mine = {
        lease: await put({ ...mine.lease, metadata: { ...metadata, annotations } }),
        renewedAt: now(),
      };
    },
    async release() {
      if (!mine) return;
      const { lease } = mine;
      mine = undefined;
      // Who cannot give it back lets it run out.
      await put({ ...lease, spec: { ...lease.spec, holderIdentity: null } }).catch(() => {});
    },
  };
}

/** From `pod_verb_random`. */
const podOf = (holder: string): string => holder.split("_")[0] ?? "";

const held = (lease: Lease): Holding => ({
  held: true,
  foundedAt: lease.metadata.annotations?.[foundedAnnotation],
});
