/**
 * The pods behind a selector, kept current: listed once, then watched.
 *
 * Whatever ends a watch, an expired version (410), too many requests (429), a server that is away, is answered with a new
 * list, with growing pauses while it fails. What was known last is kept meanwhile: a pod that is not heard of is not a pod
 * that is gone.
 */
import { setTimeout as pause } from "node:timers/promises";
import pRetry from "p-retry";
import { type Api, ApiError, asLastingFault, describeTrouble, watchSeconds } from "./api.ts";
import { createPatience } from "./patience.ts";
import type { ObjectMeta, Pod, PodList } from "./types.ts";

export interface PodStore {
  /** Undefined until the first list is there. */
  current(): ReadonlyMap<string, Pod> | undefined;
  /** What keeps the first list, or the watch, from being there, in words. */
  trouble(): string | undefined;
  /** @throws RekindleError for a fault that a person must mend. */
  throwLastingFault(): void;
  /** Resolves with the first list, or when something keeps it away. */
  readonly settled: Promise<void>;
  close(): void;
}

const pageSize = 500;

export function followPods(api: Api, selector: string, patienceMs: number): PodStore {
  const path = `/api/v1/namespaces/${api.namespace}/pods?labelSelector=${encodeURIComponent(selector)}`;
  const ended = new AbortController();
  const patience = createPatience(patienceMs, () => performance.now());
  let pods: Map<string, Pod> | undefined;
  let trouble: string | undefined;
  let fault: Error | undefined;
  let settle = () => {};
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });

  function failed(thrown: unknown, verb: "list" | "watch"): void {
    trouble = describeTrouble(api, thrown);
    const lasting = asLastingFault(api, thrown, { verb, group: "", resource: "pods" });
    if (patience.isOver(lasting) && pods === undefined) fault = lasting;
    settle();
  }

  async function list(): Promise<string> {
    const found = new Map<string, Pod>();
    let page: PodList;
    let next = "";
    do {
      page = await api.send<PodList>("GET", `${path}&limit=${pageSize}${next}`);
      if (page.kind !== "PodList")
        throw new ApiError(502, `expected a PodList and got ${page.kind}`);
      for (const pod of page.items) found.set(pod.metadata.name, pod);
      next = page.metadata.continue
        ? `&continue=${encodeURIComponent(page.metadata.continue)}`
        : "";
    } while (next !== "");
    pods = found;
    trouble = undefined;
    patience.isOver(undefined);
    settle();
    return page.metadata.resourceVersion;
  }

  async function watchFrom(version: string): Promise<void> {
    let from = version;
    for (;;) {
      const query = `&watch=true&allowWatchBookmarks=true&timeoutSeconds=${watchSeconds}&resourceVersion=${from}`;
      await api.watch(`${path}${query}`, ({ type, object }) => {
        const pod = object as Pod & { readonly metadata: ObjectMeta };
        from = pod.metadata.resourceVersion ?? from;
        if (type === "DELETED") pods?.delete(pod.metadata.name);
        else if (type !== "BOOKMARK") pods?.set(pod.metadata.name, pod);
      });
      // A server that ends each watch at once is not asked in a circle.
      await pause(100, undefined, { signal: ended.signal });
    }
  }

  async function follow(): Promise<void> {
    for (;;) {
      const version = await pRetry(list, {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 100,
        maxTimeout: 5_000,
        randomize: true,
        signal: ended.signal,
        async onFailedAttempt({ error }) {
          failed(error, "list");
          if (error instanceof ApiError && error.retryAfterMs !== undefined)
            await pause(Math.min(error.retryAfterMs, 30_000), undefined, { signal: ended.signal });
        },
      });
      await watchFrom(version).catch((thrown: unknown) => {
        if (!(thrown instanceof ApiError && thrown.status === 410)) failed(thrown, "watch");
      });
      ended.signal.throwIfAborted();
      await pause(100 + 200 * Math.random(), undefined, { signal: ended.signal });
    }
  }
  follow().catch((thrown: unknown) => {
    if (!ended.signal.aborted) fault = thrown as Error;
    settle();
  });

  return {
    current: () => pods,
    trouble: () => trouble,
    throwLastingFault() {
      if (fault) throw fault;
    },
    settled,
    close: () => ended.abort(new Error("closed")),
  };
}
