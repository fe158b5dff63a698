import { defineConfig } from "vitest/config";

// One project after the other: the real servers of one would be late for the load of another.
const slow = { fileParallelism: false, pool: "forks" as const, retry: 0 };

const onKubernetes = {
  ...slow,
  globalSetup: ["test/kubernetes/make-cluster.ts"],
  testTimeout: 420_000,
  hookTimeout: 600_000,
};

const benchOnKubernetes = {
  test: { ...onKubernetes, name: "bench-kubernetes", include: ["test/bench/kubernetes.ts"] },
};

const experiment = {
  test: { ...onKubernetes, name: "experiment", include: ["test/kubernetes/experiment.ts"] },
};

const scale = {
  test: { ...onKubernetes, name: "scale", include: ["test/kubernetes/scale.ts"] },
};

export default defineConfig({
  test: {
    projects: [
      ...(process.env.REKINDLE_BENCH_KUBERNETES === "yes" ? [benchOnKubernetes] : []),
      ...(process.env.REKINDLE_EXPERIMENT === "yes" ? [experiment] : []),
      ...(process.env.REKINDLE_SCALE === "yes" ? [scale] : []),
      {
        test: {
          name: "unit",
          sequence: { groupOrder: 0 },
          include: ["test/unit/**/*.test.ts"],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...slow,
          name: "redis",
          sequence: { groupOrder: 1 },
          include: ["test/redis/**/*.test.ts"],
          testTimeout: 90_000,
          hookTimeout: 90_000,
        },
      },
      {
        test: {
          ...slow,
          name: "chaos",
          sequence: { groupOrder: 2 },
          include: ["test/chaos/**/*.test.ts"],
          // Most of a round is waiting.
          maxConcurrency: 2,
          testTimeout: 600_000,
        },
      },
      {
        test: {
          ...slow,
          name: "containers",
          sequence: { groupOrder: 3 },
          globalSetup: ["test/containers/make-images.ts"],
          include: ["test/containers/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          ...onKubernetes,
          name: "kubernetes",
          sequence: { groupOrder: 4 },
          include: ["test/kubernetes/**/*.test.ts"],
        },
      },
    ],
  },
});
