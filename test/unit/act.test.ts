/**
 * What the actor does by itself, beyond sending what a plan says.
 */
import { describe, expect, test } from "vitest";
import { formatAddress } from "../../src/address.ts";
import { createActor } from "../../src/cluster/act.ts";
import type { Observer } from "../../src/cluster/observe.ts";
import type { Member, Step } from "../../src/cluster/types.ts";
import { createLog } from "../../src/log.ts";
import type { Command } from "../../src/redis/resp.ts";
import { answered, idOf, sixNodes } from "./observations.ts";

const member = (letter: string): Member => answered(letter, sixNodes) as Member;
const meet = (at: string, whom: string): Step => ({
  kind: "meet",
  at: member(at),
  whom: member(whom),
});

/** An actor whose nodes answer to their ids as `ids` says; `sent` is what it sent to each, by its name. */
function createActorOf(ids: Readonly<Record<string, string | undefined>>) {
  const sent = new Map<string, string[]>();
  const observer: Observer = {
    look: async () => [],
    close() {},
    connectionTo(address) {
      const letter = Object.keys(ids).find(
        (one) => formatAddress(member(one).address) === formatAddress(address),
      );
      const id = letter === undefined ? undefined : ids[letter];
      if (letter === undefined || id === undefined) return undefined;
      return {
        address,
        open: true,
        close() {},
        detach() {
          throw new Error("nobody takes this connection over");
        },
        async send(commands: readonly Command[]) {
          const told = commands.map((command) => command.join(" "));
          sent.set(letter, [...(sent.get(letter) ?? []), ...told]);
          return commands.map((command) => (command[1] === "MYID" ? idOf(id) : "OK"));
        },
      };
    },
  };
  let clockMs = 0;
  const actor = createActor(observer, createLog("error", "json"), () => clockMs);
  return {
    carryOut: (...steps: Step[]) => actor.carryOut(steps),
    toldTo: (letter: string) => sent.get(letter)?.filter((one) => !one.includes("MYID")) ?? [],
    passMs: (ms: number) => {
      clockMs += ms;
    },
  };
}

describe("rule 10: nobody is met whose id was not asked for a moment before", () => {
  test("a node that is who it was is met", async () => {
    const actor = createActorOf({ a: "a", b: "b" });
    await actor.carryOut(meet("a", "b"));
    expect(actor.toldTo("a")).toEqual(["CLUSTER MEET 10.0.0.11 6379 16379"]);
  });

  test("an address at which another node answers now is not met", async () => {
    const actor = createActorOf({ a: "a", b: "f" });
    await actor.carryOut(meet("a", "b"));
    expect(actor.toldTo("a")).toEqual([]);
  });

  test("an address at which nobody answers any more is not met", async () => {
    const actor = createActorOf({ a: "a", b: undefined });
    await actor.carryOut(meet("a", "b"));
    expect(actor.toldTo("a")).toEqual([]);
  });

  test("the steps for others are carried out", async () => {
    const actor = createActorOf({ a: "a", b: "f", c: "c" });
    await actor.carryOut(meet("a", "b"), meet("a", "c"), {
      kind: "forget",
      at: member("c"),
      id: idOf("e"),
    });
    expect(actor.toldTo("a")).toEqual(["CLUSTER MEET 10.0.0.12 6379 16379"]);
    expect(actor.toldTo("c")).toEqual([`CLUSTER FORGET ${idOf("e")}`]);
  });
});

test("a promotion that was asked for is not asked for again within two seconds", async () => {
  const actor = createActorOf({ d: "d" });
  const promote: Step = { kind: "promote", at: member("d"), how: "force" };
  await actor.carryOut(promote);
  actor.passMs(1_999);
  await actor.carryOut(promote);
  expect(actor.toldTo("d")).toHaveLength(1);
  actor.passMs(1);
  await actor.carryOut(promote);
  expect(actor.toldTo("d")).toHaveLength(2);
});
