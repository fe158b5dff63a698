// The Kubernetes that tests and bench run on: the one that KUBECONFIG names, else k3s where an image registry gives it.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fail } from "./say.mjs";
import { buildExecutable, installDependencies, pinnedEnvironment, root, run } from "./set-up.mjs";

const image = "rancher/k3s:v1.34.1-k3s1";

/** Ends this process, with what to do, where there is none. */
export function requireKubernetes() {
  const { KUBECONFIG } = process.env;
  if (KUBECONFIG && existsSync(KUBECONFIG)) return;
  if (KUBECONFIG)
    fail(`KUBECONFIG names ${KUBECONFIG}, and there is no such file`, "name the right one");
  const hasEngine =
    spawnSync("docker", ["version"], { stdio: "ignore", timeout: 10_000 }).status === 0;
  process.env.REKINDLE_TEST_K3S = image;
  const hasImage = hasEngine && (docker("image", "inspect", image) || docker("pull", image));
  if (!hasImage)
    fail(
      "there is no Kubernetes to test on",
      "name one in KUBECONFIG, or start Docker where it can pull k3s",
    );
}

/** Runs a project of the tests that measures, and writes down what it finds. */
export function measureOnKubernetes(project, environment) {
  installDependencies();
  buildExecutable();
  requireKubernetes();
  run(join(root, "node_modules/.bin/vitest"), ["run", "--project", project, "--reporter=default"], {
    env: { ...pinnedEnvironment(), REKINDLE_TEST_KUBERNETES: "yes", ...environment },
  });
}

const docker = (...args) => spawnSync("docker", args, { stdio: "ignore" }).status === 0;
