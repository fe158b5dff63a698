/**
 * The layout of RDB files, as far as it takes to know where each record ends: Redis 6.0 to 8.8 and Valkey up to 9.1 (`rdb.h`,
 * `rdbLoadObject` and `rdbLoadRioWithLoadingCtx` in rdb.c). Values are not interpreted.
 */

export const opcodes = {
  /** Valkey 9: slots that are just being imported. Redis 8.6: what modules know of the next key. */
  slotImportOrKeyMeta: 243,
  slotInfo: 244,
  function: 245,
  functionOfCandidates: 246,
  moduleAux: 247,
  idle: 248,
  frequency: 249,
  aux: 250,
  resizeDb: 251,
  expireMs: 252,
  expireSeconds: 253,
  selectDb: 254,
  end: 255,
} as const;

/**
 * What a value consists of, in order. A number is so many bytes, or one of the four kinds below; a list is a count, and then
 * its steps so many times.
 */
export type Step = number | readonly Step[];

/** A length in the format's own encoding, whatever it counts. */
export const length = -1;
export const string = -2;
/** A number as text: one byte tells how long it is, 253 to 255 are numbers by themselves. */
export const textNumber = -3;
/** What a module wrote, in the second version of that format: each part has its kind before it, zero ends them. */
export const modulePart = -4;

const pairs = [string, string];
/** Milliseconds since 1970, or a double. */
const eight = 8;
const streamId = [length, length];

function stream(version: number): readonly Step[] {
  const position = version >= 2 ? [length] : [];
  const seen = version >= 3 ? [eight, eight] : [eight];
  const consumer = [string, ...seen, [16]];
  const pending = [16, eight, length];
  const group = [string, ...streamId, ...position, [...pending], [...consumer]];
  const released: readonly Step[] = version >= 5 ? [[16]] : [];
  const producers = [string, [string, ...streamId]];
  const idempotence: readonly Step[] =
    version >= 4 ? [length, length, [...producers], length, length] : [];
  return [
    [string, string],
    length,
    ...streamId,
    ...(version >= 2 ? [...streamId, ...streamId, length] : []),
    [...group, ...released],
    ...idempotence,
  ];
}

/** By the type's number. */
const layouts: ReadonlyMap<number, readonly Step[]> = new Map<number, readonly Step[]>([
  [0, [string]],
  [1, [[string]]],
  [2, [[string]]],
  [3, [[string, textNumber]]],
  [4, [pairs]],
  [5, [[string, eight]]],
  [7, [length, modulePart]],
  // Packed into one string: zipmap, ziplists, intset.
  ...[9, 10, 11, 12, 13].map((type) => [type, [string]] as const),
  [14, [[string]]],
  [15, stream(1)],
  [16, [string]],
  [17, [string]],
  [18, [[length, string]]],
  [19, stream(2)],
  [20, [string]],
  [21, stream(3)],
  // Hashes whose fields expire: of the release candidates of Redis 7.4, and of Redis 7.4.
  [22, [[length, ...pairs]]],
  [23, [string]],
  [24, [eight, [length, ...pairs]]],
  [25, [eight, string]],
  [26, stream(4)],
  [27, stream(5)],
]);

/** Hashes whose fields expire, in Valkey 9; Redis has the number for something else. */
const valkeyHash: readonly Step[] = [[...pairs, eight]];

/** Undefined for a type that is not known. */
export function layoutOf(type: number, isValkeys: boolean): readonly Step[] | undefined {
  if (isValkeys && type >= 22) return type === 22 ? valkeyHash : undefined;
  return layouts.get(type);
}

/** Written by release candidates of Redis 4.0: such a value does not tell where it ends. */
export const moduleWithoutLength = 6;
