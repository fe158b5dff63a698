// Builds dist/rekindle (one executable), the library bundles and their type declarations.
// Runs on the pinned Node 26 only: `--build-sea` makes an executable of the Node that runs it.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
const { version } = JSON.parse(readFileSync("package.json", "utf8"));
const node = join(root, "node_modules/.bin/node");

mkdirSync("dist", { recursive: true });
const common = {
  bundle: true,
  platform: "node",
  target: "node26",
  logLevel: "warning",
  legalComments: "none",
  define: { REKINDLE_VERSION: JSON.stringify(version) },
};

// What boots in a pod is one bundle. What only some runs need is a bundle each, ten to fifty times as large, which the executable
// carries as assets.
const commonJs = { ...common, format: "cjs", minifySyntax: true };
const loadedLater = ["./command-line.ts", "./s3.ts", "./gcs.ts"];
await build({
  ...commonJs,
  entryPoints: ["src/main.ts"],
  outfile: "dist/rekindle.cjs",
  external: loadedLater,
});
const assets = {
  "tools.cjs": "src/command-line.ts",
  "stores-s3.cjs": "src/stores/s3.ts",
  "stores-gcs.cjs": "src/stores/gcs.ts",
};
for (const [name, entry] of Object.entries(assets))
  await build({
    ...commonJs,
    entryPoints: [entry],
    outfile: `dist/${name}`,
    // What is compiled from an asset has no import(); a require in its place does.
    supported: { "dynamic-import": false },
    // yargs and others read import.meta.url, which CommonJS does not have.
    banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
    define: { ...common.define, "import.meta.url": "importMetaUrl" },
    // Native speed-ups of a remote engine over ssh; their absence is caught.
    external: ["cpu-features", "*.node", ...loadedLater],
  });
await build({
  ...common,
  entryPoints: { index: "src/index.ts", testing: "src/testing/index.ts" },
  // Many who test against it have no newer Node.
  target: "node20",
  outdir: "dist",
  format: "esm",
  packages: "external",
});

const seaConfig = "dist/sea.json";
writeFileSync(
  seaConfig,
  JSON.stringify({
    main: "dist/rekindle.cjs",
    mainFormat: "commonjs",
    output: "dist/rekindle.new",
    assets: Object.fromEntries(Object.keys(assets).map((name) => [name, `dist/${name}`])),
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    // A boot is over before helpers of the garbage collector would pay: they cost it two milliseconds of CPU.
    execArgv: ["--v8-pool-size=0"],
    execArgvExtension: "none",
  }),
);
execFileSync(node, ["--build-sea", seaConfig], { stdio: ["ignore", "ignore", "inherit"] });
// Renamed into place: a running dist/rekindle keeps its own file, and a build that is cut off leaves none half-written.
renameSync("dist/rekindle.new", "dist/rekindle");
execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
