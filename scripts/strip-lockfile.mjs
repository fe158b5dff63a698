// Takes the registry's addresses out of package-lock.json: whoever installs uses their own registry, and the integrity
// hashes say whether it gave the same files. npm's own omit-lockfile-registry-resolved also drops optional packages.
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("../package-lock.json", import.meta.url);
writeFileSync(file, readFileSync(file, "utf8").replace(/^ *"resolved": "https?:.*\n/gm, ""));
