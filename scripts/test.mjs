// npm test: everything a fresh clone needs, then all tests but those on Kubernetes, which have a command of their own:
// they create namespaces in whatever KUBECONFIG points at. Arguments go to vitest. The last line counts the tests.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
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

const folder = mkdtempSync(join(tmpdir(), "rekindle-results-"));
const onKubernetes = process.env.REKINDLE_TEST_KUBERNETES === "yes";
const given = process.argv.slice(2);
const here = ["unit", "redis", "containers"];
const isChosen = given.some((argument) => argument.startsWith("--project"));

let runs;
if (isChosen) runs = [await run("chosen", given)];
else if (!onKubernetes) runs = [await run("here", projects(here))];
else {
  // Pods are mostly waited for: what runs on this machine goes on beside them. Images first, for both build them.
  if (hasEngine) makeImages();
  const elsewhere = join(folder, "kubernetes.log");
  runs = await Promise.all([
    run("here", projects(here)),
    run("kubernetes", projects(["kubernetes"]), elsewhere),
  ]);
  process.stdout.write(readFileSync(elsewhere));
}
const counts = runs.map(readCounts);
rmSync(folder, { recursive: true, force: true });
const sum = (which) => counts.reduce((total, one) => total + one[which], 0);
console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
process.exit(Math.max(...runs.map(({ status }) => status)));

function projects(names) {
  return [...names.flatMap((name) => ["--project", name]), ...given];
}

function makeImages() {
  const which = process.env.REKINDLE_TEST_VERSIONS === "all" ? ["--all"] : [];
  const script = join(root, "scripts/image.mjs");
  spawnSync(process.execPath, [script, ...which], { stdio: ["ignore", "inherit", "inherit"] });
}

/** @param output the file for what it prints, where that is for later. */
async function run(name, args, output) {
  const results = join(folder, `${name}.json`);
  const fd = output === undefined ? "inherit" : openSync(output, "w");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${results}`];
  const child = spawn(join(root, "node_modules/.bin/vitest"), ["run", ...reporters, ...args], {
    cwd: root,
    stdio: ["inherit", fd, fd],
    env: {
      ...pinnedEnvironment(),
      REKINDLE_TEST_CONTAINERS: hasEngine ? "yes" : "",
      TESTCONTAINERS_RYUK_DISABLED: "true",
    },
  });
  const [status] = await once(child, "exit");
  return { results, status: status ?? 1 };
}

/** A run that died has failed, whatever it counted. */
function readCounts({ results, status }) {
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
