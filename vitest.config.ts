import { defineConfig } from "vitest/config";

const slow = { fileParallelism: false, pool: "forks" as const, retry: 0 };

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 60_000 } },
      {
        test: {
          ...slow,
          name: "redis",
          include: ["test/redis/**/*.test.ts"],
          testTimeout: 90_000,
          hookTimeout: 90_000,
        },
      },
      {
        test: {
          ...slow,
          name: "containers",
          globalSetup: ["test/containers/make-images.ts"],
          include: ["test/containers/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
