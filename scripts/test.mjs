// npm test: everything a fresh clone needs, then all tests but those on Kubernetes, which have a command of their own:
// they create namespaces in whatever KUBECONFIG points at. Arguments go to vitest. The last line counts the tests.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureMetricsTools, ensureServer } from "./ensure-server.mjs";
import { say } from "./say.mjs";
import { buildExecutable, installDependencies, pinnedEnvironment, root } from "./set-up.mjs";

installDependencies();
buildExecutable();
ensureServer();
ensureMetricsTools();

const hasEngine =
  spawnSync("docker", ["version"], { stdio: "ignore", timeout: 10_000 }).status === 0;
if (!hasEngine) say("no Docker engine answers: the container tests are skipped");

const onKubernetes = process.env.REKINDLE_TEST_KUBERNETES === "yes";
const projects = onKubernetes
  ? []
  : ["unit", "redis", "containers"].flatMap((name) => ["--project", name]);
const folder = mkdtempSync(join(tmpdir(), "rekindle-results-"));
const results = join(folder, "results.json");
const { status } = spawnSync(
  join(root, "node_modules/.bin/vitest"),
  [
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${results}`,
    ...projects,
    ...process.argv.slice(2),
  ],
  {
    cwd: root,
    stdio: "inherit",
    env: {
      ...pinnedEnvironment(),
      REKINDLE_TEST_CONTAINERS: hasEngine ? "yes" : "",
      TESTCONTAINERS_RYUK_DISABLED: "true",
    },
  },
);
const counts = readCounts();
rmSync(folder, { recursive: true, force: true });
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(status ?? 1);

/** A run that died has failed, whatever it counted. */
function readCounts() {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numFailedTestSuites } = JSON.parse(
      readFileSync(results, "utf8"),
    );
    const failed = numFailedTests || (status === 0 ? 0 : Math.max(1, numFailedTestSuites));
    return { passed: numPassedTests, failed, skipped: numPendingTests };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
