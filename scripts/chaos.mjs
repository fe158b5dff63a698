// npm run chaos: faults by a schedule on a live set, then a check of what must hold, then a report. As root on Linux with all faults.
import { join } from "node:path";
import { ensureServer } from "./ensure-server.mjs";
import { buildExecutable, installDependencies, root, run } from "./set-up.mjs";

installDependencies();
buildExecutable();
ensureServer();
run(join(root, "node_modules/.bin/node"), [
  join(root, "test/chaos/main.ts"),
  ...process.argv.slice(2),
]);
