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
  /** Takes in what the API server answered to a change, before the watch tells of it. */
  put(pod: Pod): void;
  /** What keeps the first list, or the watch, from being there, in words. */
  trouble(): string | undefined;
  /** @throws RekindleError for a fault that a person must mend. */
  throwLastingFault(): void;
  /** Resolves with the first list, or when something keeps it away. */
  readonly settled: Promise<void>;
  close(): void;
}

const pageSize = 500;
const longestPauseMs = 5_000;

/** As pRetry does it for lists; at random, since all nodes of a cluster lose their watches at once. */
const growingPauseMs = (failures: number): number =>
  Math.min(longestPauseMs, 100 * 2 ** failures) * (1 + Math.random());

/** What a 429 or 503 asks for. */
const askedPauseMs = (thrown: unknown): number =>
  thrown instanceof ApiError ? Math.min(thrown.retryAfterMs ?? 0, 30_000) : 0;

export function followPods(api: Api, selector: string, patienceMs: number): PodStore {
  const path = `/api/v1/namespaces/${api.namespace}/pods?labelSelector=${encodeURIComponent(selector)}`;
  const ended = new AbortController();
  const newPatience = () => createPatience(patienceMs, () => performance.now());
  const patience = { list: newPatience(), watch: newPatience() };
  /** What has worked once is allowed; what fails later passes. */
  const worked = { list: false, watch: false };
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
    if (patience[verb].isOver(lasting) && !worked[verb]) fault = lasting;
    settle();
  }
  function succeeded(verb: "list" | "watch"): void {
    worked[verb] = true;
    patience[verb].isOver(undefined);
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
    succeeded("list");
    settle();
    return page.metadata.resourceVersion;
  }

  /** @param onSign is told when the server answers as it should. */
  async function watchFrom(version: string, onSign: () => void): Promise<void> {
    let from = version;
    for (;;) {
      const query = `&watch=true&allowWatchBookmarks=true&timeoutSeconds=${watchSeconds}&resourceVersion=${from}`;
      await api.watch(`${path}${query}`, ({ type, object }) => {
        const pod = object as Pod & { readonly metadata: ObjectMeta };
        from = pod.metadata.resourceVersion ?? from;
        onSign();
        if (type === "DELETED") pods?.delete(pod.metadata.name);
        else if (type !== "BOOKMARK") pods?.set(pod.metadata.name, pod);
      });
      onSign();
      // A server that ends each watch at once is not asked in a circle.
      await pause(100, undefined, { signal: ended.signal });
    }
  }

  const rest = async (ms: number): Promise<void> => {
    ended.signal.throwIfAborted();
    if (ms > 0) await pause(ms, undefined, { signal: ended.signal });
  };

  async function follow(): Promise<void> {
    let broken = 0;
    const onSign = () => {
      broken = 0;
      succeeded("watch");
    };
    for (;;) {
      const version = await pRetry(list, {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 100,
        maxTimeout: longestPauseMs,
        randomize: true,
        signal: ended.signal,
        async onFailedAttempt({ error }) {
          failed(error, "list");
          await rest(askedPauseMs(error));
        },
      });
      let pauseMs = 0;
      await watchFrom(version, onSign).catch((thrown: unknown) => {
        if (!(thrown instanceof ApiError && thrown.status === 410)) failed(thrown, "watch");
        pauseMs = Math.max(askedPauseMs(thrown), growingPauseMs(broken++));
      });
      await rest(pauseMs);
    }
  }
  follow().catch((thrown: unknown) => {
    if (!ended.signal.aborted) fault = thrown as Error;
    settle();
  });

  return {
    current: () => pods,
    put: (pod) => pods?.set(pod.metadata.name, pod),
    trouble: () => trouble,
    throwLastingFault() {
      if (fault) throw fault;
    },
    settled,
    close: () => ended.abort(new Error("closed")),
  };
}
