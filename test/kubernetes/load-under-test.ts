/**
 * An application in a pod of its own, that writes and reads all the while (load.ts).
 */
import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { until } from "../redis/until.ts";
import { core, execIn, objects } from "./api-under-test.ts";
import type { Summary } from "./load.ts";
import { clientPod, lookAgainMs, pause } from "./site-under-test.ts";

export interface Load {
  /** Ends the writing, reads everything back, and says what was seen. */
  end(): Promise<Summary>;
  /** Its reports so far: when, and how many writes in all. */
  reports(): Promise<readonly { readonly at: string; readonly writes: number }[]>;
}

export async function startLoad(namespace: string, isSet: boolean): Promise<Load> {
  const name = `load-${randomBytes(3).toString("hex")}`;
  const at = { name, namespace };
  const environment = isSet ? [{ name: "LOAD_SET", value: "mymaster" }] : [];
  const image = inject("testImages").load;
  await objects.create(clientPod(name, namespace, image, undefined, environment));
  const lines = async (): Promise<string> => {
    await pause(lookAgainMs);
    return core.readNamespacedPodLog(at).catch(() => "");
  };
  // A load that has not found its feet yet would not notice anything.
  await until("a load under way", lines, (log) => Number(lastReport(log)?.writes) > 200);
  return {
    async reports() {
      const log = await core.readNamespacedPodLog(at);
      const reports = log.split("\n").filter((line) => line.startsWith('{"at"'));
      return reports.map((line) => JSON.parse(line) as { at: string; writes: number });
    },
    async end() {
      await execIn(namespace, name, name, ["sh", "-c", "kill -USR2 1"]);
      const log = await until(
        "the load's summary",
        lines,
        (text) => text.includes('"summary"'),
        120_000,
      );
      await core.deleteNamespacedPod(at);
      const line = log.split("\n").find((one) => one.includes('"summary"')) ?? "";
      return (JSON.parse(line) as { summary: Summary }).summary;
    },
  };
}

function lastReport(log: string): { writes: number } | undefined {
  const line = log.trim().split("\n").at(-1) ?? "";
  return line.includes('"writes"') ? (JSON.parse(line) as { writes: number }) : undefined;
}
