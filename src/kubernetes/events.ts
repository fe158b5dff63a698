/**
 * Events on the own pod, so that `kubectl describe pod` tells what happened to it.
 */
import { withDeadline } from "../deadline.ts";
import type { Api } from "./api.ts";
import type { Pod } from "./types.ts";

export interface PodEvents {
  /** Sends it; a boot does not wait for it, nor fail with it. */
  tell(reason: string, message: string, isWarning: boolean): void;
  /** Waits for what is under way, at most this long. */
  flush(deadlineMs: number): Promise<void>;
}

/** The API takes no longer messages (Kubernetes, `validateV1EventSeries` and its kin: NoteLengthLimit). */
const longestMessage = 1_024;

/** A wait that lasts is in the log every ten seconds; as an Event it is told this often. */
const repeatMs = 300_000;

/** @param drawSuffix random letters: two events of one millisecond need different names. */
export function createPodEvents(api: Api, pod: Pod, drawSuffix: () => string): PodEvents {
  const underWay = new Set<Promise<unknown>>();
  const toldAt = new Map<string, number>();
  const { name, uid } = pod.metadata;
  return {
    tell(reason, message, isWarning) {
      const words = `${reason} ${message}`;
      if (Date.now() - (toldAt.get(words) ?? 0) < repeatMs) return;
      toldAt.set(words, Date.now());
      const now = new Date().toISOString();
      const sent = api
        .send("POST", `/api/v1/namespaces/${api.namespace}/events`, {
          apiVersion: "v1",
          kind: "Event",
          metadata: { name: `${name}.${drawSuffix()}`, namespace: api.namespace },
          involvedObject: { apiVersion: "v1", kind: "Pod", namespace: api.namespace, name, uid },
          type: isWarning ? "Warning" : "Normal",
          reason,
          message: message.slice(0, longestMessage),
          source: { component: "rekindle" },
          reportingComponent: "rekindle",
          reportingInstance: name,
          firstTimestamp: now,
          lastTimestamp: now,
          count: 1,
        })
        // The same words are in the log; an Event that cannot be written must not stop a boot.
        .catch(() => {})
        .finally(() => underWay.delete(sent));
      underWay.add(sent);
    },
    async flush(deadlineMs) {
      await withDeadline(Promise.all(underWay), deadlineMs).catch(() => {});
    },
  };
}
