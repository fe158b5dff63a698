/** One persistent Redis on the oldest and the newest server: they keep their data in different ways. */
import { getContainerRuntimeClient, type StartedTestContainer } from "testcontainers";
import { expect, inject, test } from "vitest";
import { until } from "../redis/until.ts";
import { cli, createGroup, everythingSaid, probe } from "./containers-under-test.ts";

// In one file, and in a folder of parts.
const images = [...new Set([inject("images")[0], inject("images").at(-1)])].flatMap(
  (image) => image ?? [],
);

const handleOf = async (container: StartedTestContainer) =>
  (await getContainerRuntimeClient()).container.getById(container.getId());

async function killAndStart(container: StartedTestContainer): Promise<void> {
  const handle = await handleOf(container);
  await handle.kill();
  await handle.start();
}

const untilReady = (container: StartedTestContainer) =>
  until(
    "a ready server",
    () => probe(container, "readiness").catch(() => ({ ready: false })),
    ({ ready }) => ready,
    30_000,
    () => everythingSaid(container),
  );

test.skipIf(images.length === 0).concurrent.for(images.length > 0 ? images : ["no image"])(
  "%s: a kill loses nothing, nor does a folder with a dump.rdb alone; what it cannot read it refuses",
  async (image) => {
    await using group = await createGroup(image);
    const container = await group.start({}, ["standalone"]);
    await untilReady(container);
    await cli(container, "set", "mycounter", "42");
    await killAndStart(container);
    await untilReady(container);
    expect(await cli(container, "incr", "mycounter")).toBe("43");
    expect((await probe(container, "liveness")).ready).toBe(true);
    const status = await container.exec(["rekindle", "status"]);
    expect(status.output).toMatch(/serving[\s\S]*1 key, .* append-only file/);
    expect(status.exitCode).toBe(0);
    const drained = await container.exec(["rekindle", "drain"]);
    expect(drained.output).toContain("nothing to hand over");
    expect(drained.exitCode).toBe(0);

    const forget = "rm -r /data/appendonly* /data/rekindle.conf";
    await cli(container, "save");
    await container.exec(["sh", "-c", forget]);
    await killAndStart(container);
    await untilReady(container);
    expect(await cli(container, "incr", "mycounter")).toBe("44");
    await killAndStart(container);
    await untilReady(container);
    expect(await cli(container, "get", "mycounter")).toBe("44");

    await cli(container, "save");
    await container.exec([
      "sh",
      "-c",
      `${forget}; printf REDIS0099 | dd of=/data/dump.rdb conv=notrunc`,
    ]);
    const handle = await handleOf(container);
    await killAndStart(container);
    const { State } = await until(
      "its end",
      () => handle.inspect(),
      ({ State: state }) => !state.Running,
    );
    expect(State.ExitCode).toBe(65);
    expect(everythingSaid(container)).toMatch(
      /a version that this server does not read: REDIS0099/,
    );
  },
);
