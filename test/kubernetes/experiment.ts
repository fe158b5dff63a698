/**
 * npm run experiment: everything that may befall an application's cache, with its data in every place it can have, on a real
 * Kubernetes. Writes the tables in README.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "vitest";
import { bucket, secretOf, startS3Server } from "../containers/s3-under-test.ts";
import { version } from "./api-under-test.ts";
import {
  createCache,
  type Fate,
  fates,
  type Home,
  homes,
  type Outcome,
  suffer,
  type TestStore,
} from "./cache-under-test.ts";

const readme = new URL("../../README.md", import.meta.url);
const places = Object.keys(homes) as Home[];
const events = Object.keys(fates) as Fate[];

const run = (command: string, ...args: readonly string[]): string =>
  execFileSync(command, args, { encoding: "utf8" }).trim();

/** A real S3 server on this machine's Docker engine, as the pods reach it. */
async function startStore() {
  const script = fileURLToPath(new URL("../../scripts/s3-server-image.mjs", import.meta.url));
  const server = await startS3Server(run(process.execPath, script).split("\n").at(-1) ?? "");
  const gateway = "{{(index .IPAM.Config 0).Gateway}}";
  const host = run("docker", "network", "inspect", "bridge", "--format", gateway) || "172.17.0.1";
  const user = "writer";
  return {
    storeOf: (namespace: string): TestStore => ({
      url: `s3://${bucket}/${namespace}`,
      environment: Object.entries({
        REKINDLE_STORE_ENDPOINT: `http://${host}:${server.address.port}`,
        REKINDLE_STORE_PATH_STYLE: "true",
        AWS_ACCESS_KEY_ID: user,
        AWS_SECRET_ACCESS_KEY: secretOf(user),
      }).map(([name, value]) => ({ name, value })),
    }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

type Outcomes = ReadonlyMap<Fate, ReadonlyMap<Home, Outcome>>;

const row = (...cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

const showCell = ({ isKept, awayMs }: Outcome): string =>
  `${isKept ? "kept" : "**lost**"}, ${awayMs === 0 ? "never away" : `${(awayMs / 1_000).toFixed(1)} s`}`;

/** Without what is another one each time. */
const shorten = (logged: string): string =>
  logged.replace(/snapshot \S+?,/, "snapshot …,").replace(/ appendonlydir\/.*/, " appendonlydir/…");

/** What there is to see is the same wherever the data lies, but for the log, which tells. */
function renderTables(outcomes: Outcomes, machine: string): string {
  const each = (fate: Fate) => [...(outcomes.get(fate)?.values() ?? [])];
  const rows = events.map((fate) => row(fate, ...each(fate).map(showCell)));
  const seen = events.map((fate) => {
    const [shown] = each(fate)
      .filter(({ isKept }) => isKept)
      .concat(each(fate));
    const logs = new Set(
      each(fate).map(({ logged, awayMs }) => (awayMs === 0 ? "nothing" : shorten(logged))),
    );
    return row(fate, shown?.described ?? "", [...logs].join(" / "), shown?.measured ?? "");
  });
  return [
    row("is the counter still there, and how long was Redis away?", ...places),
    row(...["", ...places].map(() => "---")),
    ...rows,
    "",
    row("what is seen", "`kubectl describe pod`", "`kubectl logs`", "metrics"),
    row("---", "---", "---", "---"),
    ...seen,
    "",
    machine,
  ].join("\n");
}

test("the experiment", { timeout: 3_600_000 }, async () => {
  await using store = await startStore();
  const outcomes = new Map<Fate, Map<Home, Outcome>>();
  for (const fate of events) {
    outcomes.set(fate, new Map());
    for (const home of places) {
      await using cache = await createCache(home, store.storeOf);
      const outcome = await suffer(cache, fate);
      outcomes.get(fate)?.set(home, outcome);
      console.log(`${fate}, ${home}: ${JSON.stringify(outcome)}`);
    }
  }
  const { gitVersion } = await version.getCode();
  const machine = `Measured by \`npm run experiment\` on Kubernetes ${gitVersion}, ${new Date().toISOString().slice(0, 10)}.`;
  const table = `<!-- experiment -->\n${renderTables(outcomes, machine)}\n<!-- /experiment -->`;
  const text = readFileSync(readme, "utf8");
  writeFileSync(
    readme,
    text.replace(/<!-- experiment -->[\s\S]*<!-- \/experiment -->/, () => table),
  );
});
