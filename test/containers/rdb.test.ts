/** RDB files of every server version, split by slots: each half loads, and holds every key as it was. */
import { GenericContainer, type StartedTestContainer } from "testcontainers";
import { expect, inject, test } from "vitest";
import { selectSlots } from "../../src/rdb/select-slots.ts";
import { slotCount, slotSet } from "../../src/rdb/slots.ts";
import { canLoad, formatOf, readHeader } from "../../src/rdb/versions.ts";
import { parseInfo, readServer } from "../../src/redis/info.ts";
import type { Command } from "../../src/redis/resp.ts";
import type { ServerVersion } from "../../src/redis/server.ts";
import { quoteArgument } from "../../src/redis/user-configuration.ts";
import { everyType, newerTypes } from "../redis/every-type.ts";
import { until } from "../redis/until.ts";
import { cli } from "./containers-under-test.ts";

const images = inject("images");
const start = 's=redis-server; command -v $s >/dev/null || s=valkey-server; exec $s "$@"';

interface Running extends AsyncDisposable {
  readonly container: StartedTestContainer;
  /** @returns the lines of all replies. */
  ask(...commands: readonly Command[]): Promise<readonly string[]>;
}

async function run(image: string, given: Buffer = Buffer.alloc(0)): Promise<Running> {
  const isOld = image.includes("6.0");
  const settings = ["--dir", "/data", "--protected-mode", "no", "--dbfilename", "given.rdb"];
  const allowed = isOld ? [] : ["--enable-debug-command", "yes"];
  const container = await new GenericContainer(image)
    .withEntrypoint(["sh", "-c", start, "sh"])
    .withCommand([...settings, ...allowed])
    .withCopyContentToContainer(
      given.length > 0 ? [{ content: given, target: "/data/given.rdb", mode: 0o644 }] : [],
    )
    .start();
  await until(
    "a server that has loaded its data",
    () => cli(container, "PING"),
    (reply) => reply === "PONG",
    20_000,
  );
  return {
    container,
    // Inside: Docker 20.10 gives an address of each family a port of its own, and the wrong one may be another container's.
    async ask(...commands) {
      const lines = commands.map((words) =>
        words.map((word) => quoteArgument(`${word}`)).join(" "),
      );
      const content = `${lines.join("\n")}\n`;
      await container.copyContentToContainer([{ content, target: "/tmp/commands", mode: 0o644 }]);
      const cliName = "c=redis-cli; command -v $c >/dev/null || c=valkey-cli; $c </tmp/commands";
      return (await container.exec(["sh", "-c", cliName])).output.replace(/\n$/, "").split("\n");
    },
    [Symbol.asyncDispose]: async () => {
      await container.stop({ timeout: 0 });
    },
  };
}

async function digest(
  running: Running,
): Promise<readonly (readonly [string, string | undefined])[]> {
  const names = (await running.ask(["KEYS", "*"])).toSorted();
  const replies = await running.ask(...names.map((name) => ["DEBUG", "DIGEST-VALUE", name]));
  return names.map((name, index) => [name, replies[index]]);
}

const versionOf = async (running: Running): Promise<ServerVersion> =>
  readServer(parseInfo((await running.ask(["INFO", "server"])).join("\n")));

async function readDump({ container, ask: send }: Running): Promise<Buffer> {
  await send(["SAVE"]);
  const { output } = await container.exec(["base64", "/data/given.rdb"]);
  return Buffer.from(output, "base64");
}

async function select(whole: Buffer, from: number, to: number): Promise<Buffer> {
  async function* content() {
    yield whole;
  }
  const source = { name: "it", content: content(), slots: slotSet([[from, to]]) };
  const parts = [];
  for await (const part of selectSlots([source])) parts.push(part);
  return Buffer.concat(parts);
}

test.skipIf(images.length === 0).concurrent.for(images.length > 0 ? images : ["no image"])(
  "%s",
  async (image) => {
    await using whole = await run(image);
    await whole.ask(...everyType, ...newerTypes);
    const dump = await readDump(whole);
    const before = await digest(whole);
    const version = await versionOf(whole);
    expect(formatOf(version)).toEqual(readHeader(dump));
    expect(canLoad(version, readHeader(dump))).toBe(true);
    const half = slotCount / 2;
    const halves = [await select(dump, 0, half - 1), await select(dump, half, slotCount - 1)];
    const after = await Promise.all(
      halves.map(async (content) => {
        await using running = await run(image, content);
        return await digest(running);
      }),
    );
    expect(new Map(after.flat())).toEqual(new Map(before));
    expect(before.length).toBeGreaterThan(20);
  },
);
