import { defineConfig } from "vitest/config";

// One project after the other: the real servers of one would be late for the load of another.
const slow = { fileParallelism: false, pool: "forks" as const, retry: 0 };

export default defineConfig({
  test: {
    projects: [
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
          name: "containers",
          sequence: { groupOrder: 2 },
          globalSetup: ["test/containers/make-images.ts"],
          include: ["test/containers/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          ...slow,
          name: "kubernetes",
          sequence: { groupOrder: 3 },
          globalSetup: ["test/kubernetes/make-cluster.ts"],
          include: ["test/kubernetes/**/*.test.ts"],
          testTimeout: 420_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
