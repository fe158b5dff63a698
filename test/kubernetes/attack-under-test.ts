/**
 * apachebench in a pod of its own (attack.ts), against the application's Service.
 */
import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { until } from "../redis/until.ts";
import { core, execIn, objects } from "./api-under-test.ts";
import type { AttackLine } from "./attack.ts";
import { clientPod, pause } from "./site-under-test.ts";

export interface Second {
  /** Its end, in milliseconds since 1970. */
  readonly at: number;
  readonly fine: number;
  readonly failed: number;
}

/** A run of ab, as it prints it and in figures. */
export interface Run {
  readonly report: string;
  /** Other than 0: ab gave up. */
  readonly exitCode: number;
}

export interface Attacked {
  readonly seconds: readonly Second[];
  readonly runs: readonly Run[];
}

export interface Attack {
  /** Lets the run that is under way come to its end. */
  end(): Promise<Attacked>;
}

/** Begins it, and waits until it is under way. @param requests of each run. */
export async function startAttack(namespace: string, requests: number): Promise<Attack> {
  const name = `ab-${randomBytes(3).toString("hex")}`;
  const command = ["/scale/node", "/scale/attack.mjs", "http://app/", `${requests}`];
  await objects.create(clientPod(name, namespace, inject("testImages").scale, command));
  const read = async (): Promise<readonly AttackLine[]> => {
    await pause(1_000);
    const log = await core.readNamespacedPodLog({ name, namespace }).catch(() => "");
    return log.split(/(?<=\n)/).flatMap((line) => (line.endsWith("\n") ? [JSON.parse(line)] : []));
  };
  const secondsOf = (lines: readonly AttackLine[]) => lines.filter((line) => "at" in line);
  await until(
    "an attack under way",
    read,
    (lines) => secondsOf(lines).filter(({ fine }) => fine > 0).length >= 5,
    60_000,
  );
  return {
    async end() {
      await execIn(namespace, name, name, ["sh", "-c", "kill -USR2 1"]);
      const isEnded = (lines: readonly AttackLine[]) => lines.some((line) => "ended" in line);
      const lines = await until("the last run's end", read, isEnded, 900_000);
      await core.deleteNamespacedPod({ name, namespace });
      return {
        seconds: secondsOf(lines),
        runs: lines.filter((line) => "report" in line),
      };
    },
  };
}
