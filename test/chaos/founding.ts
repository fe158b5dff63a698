/** A founding and a healing, as a picture: what each node is, looked at every 20 milliseconds. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Act, type Being, renderActs } from "./founding-picture.ts";
import { openWorld } from "./open-world.ts";
import { askOnce, lookAt, type View } from "./views.ts";
import { findFlaws } from "./wholeness.ts";
import type { Host, World } from "./world.ts";

const picture = fileURLToPath(new URL("../../docs/founding-and-healing.svg", import.meta.url));
const lookAgainMs = 20;
const patienceMs = 60_000;

const beingOf = ({ main }: Host, { role }: View): Being =>
  main.pid === undefined ? "gone" : role === "alpha" || role === "beta" ? role : "deciding";

/** Looks from now on until all is whole that was not. @returns what each node was, and when. */
async function watch(world: World, title: string): Promise<Act> {
  const startedMs = performance.now();
  const lanes = world.nodes.map(({ name }) => ({
    name,
    changes: [] as { atMs: number; being: Being }[],
  }));
  const latest = new Map<string, View>();
  let isOver = false;
  const watches = world.nodes.map(async (host, index) => {
    while (!isOver) {
      const view = await lookAt(host, world);
      latest.set(host.name, view);
      const being = beingOf(host, view);
      const changes = lanes[index]?.changes;
      if (changes?.at(-1)?.being !== being)
        changes?.push({ atMs: performance.now() - startedMs, being });
      await pause(lookAgainMs);
    }
  });
  const count = () =>
    latest.size < world.nodes.length
      ? undefined
      : findFlaws([...latest.values()], "cluster").length;
  const until = async (holds: (flaws: number) => boolean) => {
    for (let flaws = count(); flaws === undefined || !holds(flaws); flaws = count()) {
      if (performance.now() - startedMs > patienceMs) throw new Error(`${title}: it does not end`);
      await pause(5);
    }
  };
  await until((flaws) => flaws > 0);
  await until((flaws) => flaws === 0);
  const wholeMs = performance.now() - startedMs;
  await pause(wholeMs / 10);
  isOver = true;
  await Promise.all(watches);
  return { title, wholeMs, endedMs: performance.now() - startedMs, lanes };
}

const folder = mkdtempSync(join(tmpdir(), "rekindle-founding-"));
const acts: Act[] = [];
{
  // In memory only, as deployment/deployment.yaml.
  await using world = await openWorld({
    topology: "cluster",
    persists: false,
    folder,
  });
  const founding = watch(world, "Six blank nodes start at once");
  for (const { main } of world.nodes) main.start();
  acts.push(await founding);
  // A cluster that has lived for a while: it holds something, and who is whose beta has gone round.
  for (const { name } of world.nodes)
    for (let key = 0; key < 100; key++)
      await askOnce(world.network.addressOf(name), world.port, [["SET", `key:${key}`, key]]);
  await pause(world.nodeTimeoutMs);
  const views = await Promise.all(world.nodes.map((host) => lookAt(host, world)));
  const lost = world.nodes.find((_, index) => views[index]?.role === "alpha");
  if (lost === undefined) throw new Error("there is no alpha");
  const kill = async () => {
    await lost.main.end("SIGKILL");
    await world.change(lost, { moves: false, isEmptied: true });
    // Until the kubelet has another container.
    await pause(200);
    lost.main.start();
  };
  const [healing] = await Promise.all([
    watch(world, "An alpha is killed; its replacement starts empty"),
    pause(100).then(kill),
  ]);
  acts.push(healing);
}
rmSync(folder, { recursive: true, force: true });
for (const { title, wholeMs } of acts)
  console.log(`${title}: whole after ${Math.round(wholeMs)} ms`);
writeFileSync(picture, renderActs(acts));
