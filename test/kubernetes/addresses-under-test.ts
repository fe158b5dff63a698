/**
 * Pods that do nothing but have addresses. Docker's network gives a new pod the lowest one that is free: with these, a test
 * decides which that is.
 */
import { until } from "../redis/until.ts";
import { core, createNamespace, objects } from "./api-under-test.ts";
import { addressOf, idlePod } from "./site-under-test.ts";

export interface Holders extends AsyncDisposable {
  /** Ends them all, and waits until they are gone. */
  release(): Promise<void>;
}

/** So many of them, each with an address. */
export async function holdAddresses(count: number): Promise<Holders> {
  const { holders, add } = await openHolders();
  await add(count);
  return holders;
}

/** Every address below this one, for as long as none that is held now becomes free. */
export async function holdAddressesBelow(address: string): Promise<Holders> {
  const { holders, add } = await openHolders();
  for (let batch = 0; batch < 10; batch++)
    if ((await add(8)).some((held) => numberOf(held) > numberOf(address))) break;
  return holders;
}

const numberOf = (address: string): number =>
  address.split(".").reduce((value, part) => value * 256 + Number(part), 0);

/** Pods of earlier tests that are still ending would free addresses in between. */
async function untilNobodyEnds(): Promise<void> {
  await until(
    "the end of pods that are ending",
    () => core.listPodForAllNamespaces(),
    ({ items }) => items.every(({ metadata }) => metadata?.deletionTimestamp === undefined),
    120_000,
    ({ items }) => items.map(({ metadata }) => metadata?.name).join(", "),
  );
}

async function openHolders() {
  await untilNobodyEnds();
  const namespace = await createNamespace();
  const list = () => core.listNamespacedPod({ namespace });
  let made = 0;

  /** @returns the addresses of all. */
  async function add(count: number): Promise<readonly string[]> {
    const names = Array.from({ length: count }, () => `holder-${made++}`);
    await Promise.all(names.map((name) => objects.create(idlePod(name, namespace))));
    const { items } = await until(
      "the holders' addresses",
      list,
      (found) => found.items.length === made && found.items.every((pod) => addressOf(pod) !== ""),
      120_000,
    );
    return items.map(addressOf);
  }
  async function release(): Promise<void> {
    await core.deleteNamespace({ name: namespace });
    await until("released addresses", list, ({ items }) => items.length === 0, 60_000);
  }
  return { holders: { release, [Symbol.asyncDispose]: release }, add };
}
