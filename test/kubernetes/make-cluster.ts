/**
 * Before the Kubernetes tests: finds a Kubernetes, or starts k3s where there is none, and puts the images there.
 *
 * `KUBECONFIG` names the cluster. Where it runs on this machine's Docker engine, the images are there as soon as they are
 * built; into k3s they are loaded; for any other, push them to its registry and name them in REKINDLE_TEST_IMAGES, separated
 * by commas: the image, the same on another server version, the load, the exporter with Prometheus, and the scale test's application.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { TestProject } from "vitest/node";

export interface TestImages {
  readonly image: string;
  /** The same on another server version. */
  readonly nextImage: string;
  readonly load: string;
  /** The exporter; Prometheus is in it as well. */
  readonly metrics: string;
  /** The application of the scale test, and apachebench. */
  readonly scale: string;
}

declare module "vitest" {
  interface ProvidedContext {
    kubeconfig: string;
    testImages: TestImages;
    /** The container that k3s runs in, where we have started it. */
    k3s: string;
  }
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const ownImages: TestImages = {
  image: "rekindle:test",
  nextImage: "rekindle:test-next",
  load: "rekindle-load:test",
  metrics: "rekindle-metrics:test",
  scale: "rekindle-scale:test",
};

export default async function makeCluster(
  project: TestProject,
): Promise<(() => Promise<void>) | undefined> {
  project.provide("k3s", "");
  if (process.env.REKINDLE_TEST_KUBERNETES !== "yes") {
    project.provide("kubeconfig", "");
    project.provide("testImages", ownImages);
    return undefined;
  }
  const given = process.env.REKINDLE_TEST_IMAGES?.split(",");
  if (given) {
    const [image = "", nextImage = "", load = "", metrics = "", scale = ""] = given;
    project.provide("testImages", { image, nextImage, load, metrics, scale });
  } else {
    await buildImages();
    project.provide("testImages", ownImages);
  }
  if (process.env.KUBECONFIG) {
    project.provide("kubeconfig", process.env.KUBECONFIG);
    return undefined;
  }
  return startK3s(project);
}

async function startK3s(project: TestProject): Promise<() => Promise<void>> {
  const { K3sContainer } = await import("@testcontainers/k3s");
  const k3s = await new K3sContainer(process.env.REKINDLE_TEST_K3S ?? "").start();
  const folder = mkdtempSync(join(tmpdir(), "rekindle-k3s-"));
  const archive = join(folder, "images.tar");
  const { scale, ...others } = ownImages;
  const wanted = process.env.REKINDLE_SCALE === "yes" ? { ...others, scale } : others;
  docker("save", "--output", archive, ...Object.values(wanted));
  await k3s.copyFilesToContainer([{ source: archive, target: "/tmp/images.tar" }]);
  await k3s.exec(["ctr", "--namespace", "k8s.io", "images", "import", "/tmp/images.tar"]);
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, k3s.getKubeConfig(), { mode: 0o600 });
  project.provide("kubeconfig", kubeconfig);
  project.provide("k3s", k3s.getId());
  return async () => {
    await k3s.stop();
    rmSync(folder, { recursive: true });
  };
}

async function buildImages(): Promise<void> {
  buildImage("debian:redis7.0", ownImages.image);
  buildImage("debian:redis8.0", ownImages.nextImage);
  const folder = mkdtempSync(join(tmpdir(), "rekindle-load-"));
  const isScaleWanted = process.env.REKINDLE_SCALE === "yes";
  await build({
    entryPoints: ["load", ...(isScaleWanted ? ["scale-app", "attack"] : [])].map((name) =>
      join(root, `test/kubernetes/${name}.ts`),
    ),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node26",
    logLevel: "warning",
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
  copyFileSync(realpathSync(join(root, "node_modules/.bin/node")), join(folder, "node"));
  buildOn(ownImages.image, "load-image.Dockerfile", ownImages.load, folder);
  // On what the image is made of: that stays, and with it what is installed on it.
  const base = "rekindle-base:redis7.0";
  buildOn(base, "metrics-image.Dockerfile", ownImages.metrics, folder);
  if (isScaleWanted) buildOn(base, "scale-image.Dockerfile", ownImages.scale, folder);
  rmSync(folder, { recursive: true });
}

function buildOn(base: string, file: string, tag: string, folder: string): void {
  const dockerfile = join(root, "test/kubernetes", file);
  const given = ["--build-arg", `BASE=${base}`, "--file", dockerfile, "--tag", tag];
  docker("build", "--network", "host", ...given, folder);
}

function buildImage(base: string, tag: string): void {
  const script = join(root, "scripts/image.mjs");
  const { status, stderr } = spawnSync(process.execPath, [script, "--base", base, "--tag", tag], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the image ${tag} cannot be built: ${stderr}`);
}

function docker(...args: readonly string[]): void {
  const { status, stderr } = spawnSync("docker", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`docker ${args[0]}: ${stderr}`);
}
