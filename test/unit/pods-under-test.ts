/**
 * Pods as the Kubernetes API lists them, and peers as discovery makes them.
 */
import type { PodFacts } from "../../src/discovery/discovery.ts";
import type { Pod } from "../../src/kubernetes/types.ts";

export interface PodSketch {
  readonly deployment?: string;
  readonly template?: string;
  readonly ip?: string;
  readonly phase?: string;
  readonly createdAt?: string;
  readonly isLeaving?: boolean;
  readonly machine?: string;
  readonly waiting?: string;
  /** What an exporter beside the server waits for. */
  readonly exporterWaiting?: string;
  readonly unschedulable?: string;
  readonly hasEnded?: boolean;
}

/** A pod of the Deployment `redis`, running unless the sketch says otherwise. */
export function pod(name: string, sketch: PodSketch = {}): Pod {
  const { deployment = "redis", template = "1a", ip, phase = "Running", machine = "m1" } = sketch;
  return {
    metadata: {
      name,
      uid: `uid-${name}`,
      labels: { app: "redis", "pod-template-hash": template },
      creationTimestamp: sketch.createdAt ?? "2026-01-01T00:00:00Z",
      ...(sketch.isLeaving && { deletionTimestamp: "2026-01-01T01:00:00Z" }),
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "ReplicaSet",
          name: `${deployment}-${template}`,
          uid: "u",
          controller: true,
        },
      ],
    },
    spec: {
      nodeName: machine,
      containers: [
        { name: "redis", ports: [{ containerPort: 6379 }] },
        { name: "metrics", ports: [{ containerPort: 9121 }] },
      ],
    },
    status: {
      phase,
      ...(ip && { podIP: ip }),
      ...(sketch.unschedulable && {
        conditions: [
          {
            type: "PodScheduled",
            status: "False",
            reason: "Unschedulable",
            message: sketch.unschedulable,
          },
        ],
      }),
      containerStatuses: [
        ...(sketch.exporterWaiting
          ? [{ name: "metrics", state: { waiting: { reason: sketch.exporterWaiting } } }]
          : []),
        {
          name: "redis",
          state: {
            ...(sketch.waiting && { waiting: { reason: sketch.waiting } }),
            ...(sketch.hasEnded && { terminated: {} }),
          },
        },
      ],
    },
  };
}

export const facts = (more: Partial<PodFacts> = {}): PodFacts => ({
  kubernetesNode: "m1",
  template: "1a",
  isOfNewestTemplate: true,
  isTroubled: false,
  mayHoldData: false,
  isLeaving: false,
  ...more,
});
