/**
 * Before the container tests: builds the image, or with REKINDLE_TEST_VERSIONS=all one for every server version.
 * Without a Docker engine there are no images, and each test skips itself.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    images: readonly string[];
  }
}

export default function makeImages(project: TestProject): void {
  project.provide("images", process.env.REKINDLE_TEST_CONTAINERS === "yes" ? buildImages() : []);
}

function buildImages(): readonly string[] {
  const script = fileURLToPath(new URL("../../scripts/image.mjs", import.meta.url));
  const which = process.env.REKINDLE_TEST_VERSIONS === "all" ? ["--all"] : [];
  const { status, stderr } = spawnSync(process.execPath, [script, ...which], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the image cannot be built: ${stderr}`);
  return [...stderr.matchAll(/built (\S+) on /g)].map(([, image = ""]) => image);
}
