// npm run bench: what it compares with is installed where it can be, then the bench runs on the pinned Node.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { canInstall, installPackages } from "./debian-packages.mjs";
import { ensureServer } from "./ensure-server.mjs";
import { say } from "./say.mjs";
import { root, run } from "./set-up.mjs";

ensureServer();
const onPath = (name) =>
  process.env.PATH.split(delimiter).some((folder) => existsSync(join(folder, name)));
const missing = ["curl", "jq"].filter((name) => !onPath(name));
if (missing.length > 0) {
  if (canInstall) installPackages(missing);
  else say(`the shell entrypoint to compare with needs ${missing.join(" and ")}`);
}
run(join(root, "node_modules/.bin/node"), [
  join(root, "test/bench/main.ts"),
  ...process.argv.slice(2),
]);
