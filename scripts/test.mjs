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
const isChosen = given.some((argument) => argument.startsWith("--project"));

const runs = [];
if (isChosen) runs.push(await run("chosen", given));
else if (!onKubernetes)
  runs.push(await run("here", projects("unit", "redis", "chaos", "containers")));
else {
  // Pods are mostly waited for: the servers of this machine get on beside them. Containers would take pods the time to start,
  // and faults are told from slowness on a quiet machine only.
  const elsewhere = join(folder, "kubernetes.log");
  const both = [
    run("servers", projects("unit", "redis")),
    run("kubernetes", projects("kubernetes"), elsewhere),
  ];
  runs.push(...(await Promise.all(both)));
  process.stdout.write(readFileSync(elsewhere));
  runs.push(await run("later", projects("chaos", "containers")));
}
const counts = runs.map(readCounts);
if (runs.length > 1) for (const text of runs.flatMap(readFailures)) console.log(text);
rmSync(folder, { recursive: true, force: true });
const sum = (which) => counts.reduce((total, one) => total + one[which], 0);
console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
process.exit(Math.max(...runs.map(({ status }) => status)));

function projects(...names) {
  return [...names.flatMap((name) => ["--project", name]), ...given];
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

/** Again at the end, where several runs printed theirs. */
function readFailures({ results }) {
  try {
    const { testResults } = JSON.parse(readFileSync(results, "utf8"));
    return testResults.flatMap(({ name, assertionResults, message }) => [
      ...(message ? [`FAIL ${name}\n${message}`] : []),
      ...assertionResults
        .filter(({ status }) => status === "failed")
        .map(
          (test) =>
            `FAIL ${name} > ${test.fullName}\n${test.failureMessages.join("\n").slice(0, 3_000)}\n`,
        ),
    ]);
  } catch {
    return [];
  }
}
