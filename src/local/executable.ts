/**
 * The executable that local nodes run: the real entrypoint, the same as in the image.
 */
import { existsSync } from "node:fs";
import { isSea } from "node:sea";
import { fileURLToPath } from "node:url";
import { RekindleError } from "../errors.ts";

/** @throws RekindleError where Rekindle was not built. */
export function findExecutable(): string {
  if (isSea()) return process.execPath;
  // From src/local while developing, and from dist as a library.
  const candidates = ["../../dist/rekindle", "./rekindle"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new RekindleError("serverNotFound", "the executable dist/rekindle is missing", {
    hint: "build it with npm run build",
  });
}
