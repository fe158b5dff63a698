/** The shape of the house: imports point down, the planner is pure, files are short. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const source = join(root, "src");
const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);

/** Each room may import from those after it, and from the files that lie beside all rooms. */
const rooms = [
  "commands",
  "testing",
  "backup",
  "local",
  "metrics",
  "status",
  "reload",
  "sentinel",
  "replication",
  "cluster",
  "standalone",
  "restore",
  "snapshots",
  "stores",
  "rdb",
  "discovery",
  "kubernetes",
  "redis",
];
const aboveAll = ["main.ts", "command-line.ts", "load-tools.ts", "index.ts"];

/** By the beginnings of their names. */
const pureFiles = Object.entries({
  backup: "choose schedule show-progress segment",
  reload: "plan compare gates turn settle names servers-words render",
  sentinel: "plan state configuration",
  replication: "plan elect read-sentinels outcomes types",
  cluster:
    "plan guard-data hasten topology shards separate-clusters build-table nodes types match-betas choose-alphas election seats spread restore-lost",
  standalone: "plan types rdb-header commands-in-file",
  restore: "plan-restore",
  snapshots: "retention rdb-head crc64",
  stores: "names trouble s3-errors gcs-errors",
  rdb: "slots first-key format primitives versions walk-value pages",
  testing: "judge cluster-tables read-fed last-words",
  redis: "aof-manifest replica-feed command-splitter",
}).flatMap(([room, names]) => names.split(" ").map((name) => `${room}/${name}`));

function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(source, file), "utf8");
  return [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, path = ""]) =>
    relative(source, resolve(source, dirname(file), path)),
  );
}

test("imports point down only", () => {
  for (const file of files.filter((one) => !aboveAll.includes(one))) {
    const own = rooms.indexOf(dirname(file));
    for (const imported of importsOf(file)) {
      const other = rooms.indexOf(dirname(imported));
      expect(aboveAll, `${file} imports ${imported}`).not.toContain(imported);
      if (other >= 0) expect(own >= 0 && own <= other, `${file} imports ${imported}`).toBe(true);
    }
  }
});

test("the planner knows no clock, network, file, process or chance", () => {
  const pure = files.filter((file) => pureFiles.some((beginning) => file.startsWith(beginning)));
  expect(pure.length).toBeGreaterThan(10);
  for (const file of pure) {
    const text = readFileSync(join(source, file), "utf8").replace(/\/\*\*[\s\S]*?\*\/|\/\/.*/g, "");
    expect(text, file).not.toMatch(
      /\b(await|async|Date|performance|process|console|setTimeout|fetch)\b|Math\.random/,
    );
    for (const [, module] of text.matchAll(/from "(node:[^"]+)"/g))
      expect(module, file).toBe("node:net");
  }
});

test("no file is longer than 300 lines", () => {
  for (const file of files)
    expect(readFileSync(join(source, file), "utf8").split("\n").length, file).toBeLessThanOrEqual(
      300,
    );
});

test("the lockfile holds no registry address", () => {
  expect(readFileSync(join(root, "package-lock.json"), "utf8")).not.toMatch(/"resolved": "https?:/);
});
