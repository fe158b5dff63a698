// npm run bench:kubernetes: measures on a real Kubernetes, and writes test/bench/results/kubernetes.*
import { join } from "node:path";
import { requireKubernetes } from "./kubernetes.mjs";
import { buildExecutable, installDependencies, pinnedEnvironment, root, run } from "./set-up.mjs";

installDependencies();
buildExecutable();
requireKubernetes();
run(
  join(root, "node_modules/.bin/vitest"),
  ["run", "--project", "bench-kubernetes", "--reporter=default"],
  {
    env: {
      ...pinnedEnvironment(),
      REKINDLE_TEST_KUBERNETES: "yes",
      REKINDLE_BENCH_KUBERNETES: "yes",
    },
  },
);
