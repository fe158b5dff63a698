// npm run pictures: README's pictures of what this machine can run. Those of Kubernetes and of the bench come with their tables.
import { join } from "node:path";
import { ensureServer } from "./ensure-server.mjs";
import { buildExecutable, installDependencies, root, run } from "./set-up.mjs";

installDependencies();
buildExecutable();
ensureServer();
const node = join(root, "node_modules/.bin/node");
for (const script of [
  "scripts/exercise-picture.mjs",
  "test/chaos/founding.ts",
  "test/chaos/availability.ts",
])
  run(node, [join(root, script)]);
