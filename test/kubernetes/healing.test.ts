/**
 * What happens to pods, each with a client that writes and reads all the while: on a Deployment as it is shipped, in memory.
 */
import { afterAll, beforeAll, expect, inject } from "vitest";
import { isWanted, onKubernetes } from "./api-under-test.ts";
import type { Summary } from "./load.ts";
import { createSite, pause, type Site } from "./site-under-test.ts";

const nodeTimeoutMs = 5_000;
let site: Site;

beforeAll(async () => {
  if (isWanted) site = await createSite({ manifest: "deployment" });
});
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

/** Nothing that an application would notice: no request failed, nothing that was acknowledged is lost. */
function expectNothingNoticed({ failures, lost, wrongReads, writes }: Summary): void {
  expect({ failures, lost, wrongReads }).toEqual({ failures: [], lost: 0, wrongReads: 0 });
  expect(writes).toBeGreaterThan(500);
}

onKubernetes.each(["beta", "alpha"] as const)(
  "a deleted %s: no failed request, no lost write, whole again",
  async (role) => {
    const load = await site.startLoad();
    await site.delete(await site.podOf(role));
    await pause(1_000);
    await site.waitUntilWhole();
    expectNothingNoticed(await load.end());
    // The new pod may have written the old one down; until it has answered, the old one stays to be forgotten.
    await expect
      .poll(() => site.events(), { timeout: 60_000 })
      .toContain("Drained: this node has left the cluster");
  },
);

onKubernetes(
  "an alpha's server that is killed with -9, in memory only: its beta takes over, and nothing is wiped",
  async () => {
    const load = await site.startLoad();
    const alpha = await site.podOf("alpha");
    await site.kill(alpha);
    await pause(1_000);
    await site.waitUntilWhole();
    const { failures, wrongReads, lost, writes } = await load.end();
    expect({ failures, wrongReads }).toEqual({ failures: [], wrongReads: 0 });
    // Redis copies to betas after it has answered: what was on its way is lost with the process, never more.
    expect(lost).toBeLessThan(writes / 100);
    expect((await site.events()).join("\n")).toMatch(
      /Promoted: promoting .*: its memory is newer than this alpha's disk/,
    );
  },
);

onKubernetes(
  "an alpha's pod that is deleted by force: only its slots wait, at most the node timeout and 2 s",
  async () => {
    const load = await site.startLoad();
    await site.delete(await site.podOf("alpha"), { force: true });
    await pause(1_000);
    await site.waitUntilWhole();
    const { pauses, wrongReads, lost, writes } = await load.end();
    expect(wrongReads).toBe(0);
    expect(lost).toBeLessThan(writes / 100);
    const [own = 0, ...others] = pauses.map(({ ms }) => ms).sort((a, b) => b - a);
    const stall = Math.max(...others);
    expect(stall).toBeLessThan(1_000);
    // What the other slots had to wait as well is the machine's.
    expect(own - stall).toBeLessThan(nodeTimeoutMs + 2_000);
  },
);

onKubernetes(
  "scaled from 6 to 9 and back: extra betas go to the alphas with the fewest, leaving ones are forgotten",
  async () => {
    const load = await site.startLoad();
    await site.scale(9);
    await site.waitUntilWhole(9);
    const { shards } = await site.status();
    expect(
      shards.map(({ betas }) => betas.length),
      (await site.events()).join("\n"),
    ).toEqual([2, 2, 2]);
    await site.scale(6);
    await pause(1_000);
    await site.waitUntilWhole(6);
    expect((await site.status()).shards.map(({ betas }) => betas.length).sort()).toEqual([1, 1, 1]);
    expectNothingNoticed(await load.end());
  },
);

onKubernetes(
  "a rolling update to another server version, all six pods: no failed request, no lost write, one cluster",
  async () => {
    const load = await site.startLoad();
    const before = new Set((await site.pods()).map(({ metadata }) => metadata?.name));
    await site.setImage(inject("testImages").nextImage);
    await pause(2_000);
    await expect
      .poll(
        async () => (await site.pods()).filter(({ metadata }) => before.has(metadata?.name)).length,
        {
          timeout: 300_000,
          interval: 1_000,
        },
      )
      .toBe(0);
    await site.waitUntilWhole();
    expectNothingNoticed(await load.end());
    const { shards } = await site.status();
    expect(shards.map(({ betas }) => betas.length)).toEqual([1, 1, 1]);
    expect((await site.events()).filter((event) => event.startsWith("Founded"))).toHaveLength(1);
  },
);
