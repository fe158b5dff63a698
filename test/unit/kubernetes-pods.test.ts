/** The list of pods stays right whatever the API server does. */
import { describe, expect, test } from "vitest";
import { type Api, ApiError, type WatchEvent } from "../../src/kubernetes/api.ts";
import { followPods, type PodStore } from "../../src/kubernetes/pods.ts";
import type { Pod, PodList } from "../../src/kubernetes/types.ts";
import { until } from "../redis/until.ts";
import { pod } from "./pods-under-test.ts";

type Watching = (onEvent: (event: WatchEvent) => void) => Promise<void>;

const idle: Watching = () => new Promise(() => {});

/** An API server that answers as the two scripts say, the last line of each for ever. */
function serve(lists: readonly (readonly Pod[] | Error)[], watches: readonly Watching[]) {
  const asked: string[] = [];
  const next = <T>(script: readonly T[], kind: string): T => {
    const index = asked.filter((one) => one === kind).length;
    asked.push(kind);
    return script[Math.min(index, script.length - 1)] as T;
  };
  const api: Api = {
    server: "https://kubernetes",
    namespace: "here",
    close() {},
    async send<T>(): Promise<T> {
      const items = next(lists, "list");
      if (items instanceof Error) throw items;
      const list: PodList = { kind: "PodList", metadata: { resourceVersion: "1" }, items };
      return list as T;
    },
    watch: (_path, onEvent) => next(watches, "watch")(onEvent),
  };
  return { api, asked };
}

const namesIn = (store: PodStore) => [...(store.current()?.keys() ?? [])].sort();
const [a, b] = [pod("a"), pod("b")];

async function withStore(
  lists: readonly (readonly Pod[] | Error)[],
  watches: readonly Watching[],
  use: (store: PodStore, asked: readonly string[]) => Promise<void>,
  patienceMs = 10_000,
): Promise<void> {
  const { api, asked } = serve(lists, watches);
  const store = followPods(api, "app=redis", patienceMs);
  try {
    await use(store, asked);
  } finally {
    store.close();
  }
}

test("what the watch tells is added, changed and taken away", async () => {
  const events: Watching = async (onEvent) => {
    onEvent({ type: "ADDED", object: b });
    onEvent({ type: "DELETED", object: a });
    onEvent({ type: "BOOKMARK", object: { metadata: { resourceVersion: "9" } } });
    await idle(onEvent);
  };
  await withStore([[a]], [events], async (store) => {
    await until(
      "the change",
      () => namesIn(store),
      (names) => names.join() === "b",
      5_000,
    );
  });
});

test("a watch that ends is taken up where it ended, without a new list", async () => {
  await withStore([[a]], [async () => {}, idle], async (_, asked) => {
    await until(
      "a second watch",
      () => asked,
      (all) => all.filter((one) => one === "watch").length === 2,
      5_000,
    );
    expect(asked).toEqual(["list", "watch", "watch"]);
  });
});

describe("whatever breaks a watch is answered with a new list", () => {
  const faults: readonly [string, Error][] = [
    ["410 Gone", new ApiError(410, "too old resource version")],
    ["429 Too Many Requests", new ApiError(429, "slow down", 50)],
    ["503", new ApiError(503, "not now")],
    ["a connection that broke", Object.assign(new Error("socket hang up"), { code: "ECONNRESET" })],
  ];
  test.each(faults)("%s", async (_, fault) => {
    await withStore([[a], [a, b]], [() => Promise.reject(fault), idle], async (store) => {
      await until(
        "the new list",
        () => namesIn(store),
        (names) => names.join() === "a,b",
        5_000,
      );
    });
  });
});

test("while lists fail, what was known last is kept, and the reason is told", async () => {
  const broken: Watching = () => Promise.reject(new ApiError(500, "etcd is away"));
  await withStore(
    [[a], new ApiError(500, "etcd is away"), new ApiError(429, "slow down", 20), [a, b]],
    [broken, idle],
    async (store) => {
      await until(
        "trouble",
        () => store.trouble() ?? "",
        (why) => why.includes("answers 500: etcd is away"),
        5_000,
      );
      expect(namesIn(store)).toEqual(["a"]);
      await until(
        "the new list",
        () => namesIn(store),
        (names) => names.join() === "a,b",
        5_000,
      );
      expect(store.trouble()).toBeUndefined();
    },
  );
});

describe("a missing right", () => {
  const forbidden = new ApiError(403, "forbidden");
  test("that is given a moment later is waited for", async () => {
    await withStore([forbidden, [a]], [idle], async (store) => {
      await until(
        "the list",
        () => namesIn(store),
        (names) => names.join() === "a",
        5_000,
      );
      store.throwLastingFault();
    });
  });
  test.each([
    ["list", [forbidden], idle],
    ["watch", [[a]], () => Promise.reject(forbidden)],
  ] as const)(
    "to %s that lasts ends the boot, and names the rule",
    async (verb, lists, watching) => {
      await withStore(
        lists,
        [watching],
        async (store) => {
          const fault = () => {
            try {
              store.throwLastingFault();
              return "";
            } catch (thrown) {
              return (thrown as Error).message;
            }
          };
          await until(
            "the fault",
            fault,
            (said) => said.includes(`may not ${verb} pods in the namespace here`),
            5_000,
          );
        },
        50,
      );
    },
  );
  test("that is taken away later does not take the pods away", async () => {
    await withStore(
      [[a], forbidden],
      [async () => {}, () => Promise.reject(forbidden)],
      async (store) => {
        await until(
          "trouble",
          () => store.trouble() ?? "",
          (why) => why.includes("403"),
          5_000,
        );
        expect(namesIn(store)).toEqual(["a"]);
        store.throwLastingFault();
      },
      0,
    );
  });
});
