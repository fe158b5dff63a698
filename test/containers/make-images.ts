/**
 * Before the container tests: builds the image, or with REKINDLE_TEST_VERSIONS=all one for every server version, and that of an S3
 * server. Without a Docker engine there are no images, and each test skips itself.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    images: readonly string[];
    /** What they were built on: without Rekindle, as the official images are. */
    bases: readonly string[];
    /** "" where there is none. */
    s3Image: string;
  }
}

export default function makeImages(project: TestProject): void {
  const hasEngine = process.env.REKINDLE_TEST_CONTAINERS === "yes";
  const built = hasEngine ? buildImages() : [];
  project.provide(
    "images",
    built.map(({ image }) => image),
  );
  project.provide(
    "bases",
    built.map(({ base }) => base),
  );
  // Made from Debian's packages, which needs root.
  const canMake = hasEngine && process.getuid?.() === 0;
  project.provide("s3Image", canMake ? run("s3-server-image.mjs").stdout.trim() : "");
}

function buildImages(): readonly { image: string; base: string }[] {
  const which = process.env.REKINDLE_TEST_VERSIONS === "all" ? ["--all"] : [];
  const { stderr } = run("image.mjs", ...which);
  return [...stderr.matchAll(/built (\S+) on (\S+)/g)].map(([, image = "", base = ""]) => ({
    image,
    base,
  }));
}

function run(name: string, ...args: string[]): { stdout: string; stderr: string } {
  const script = fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the image cannot be built: ${stderr}`);
  return { stdout, stderr };
}
