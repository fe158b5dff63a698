/**
 * The slot of a key, as every node of a Redis Cluster computes it (specification, "Key distribution model" and "Hash tags").
 */

/** First and last slot, both included. */
export type SlotRange = readonly [first: number, last: number];

export const slotCount = 16_384;

/** CRC16 in the variant XMODEM: polynomial 0x1021, nothing reflected. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

const [open, close] = [0x7b, 0x7d];

/** Of the bytes from `from` up to `to`; where a tag in braces is not empty, only that counts. */
export function slotOf(bytes: Uint8Array, from = 0, to = bytes.length): number {
  for (let at = from; at < to; at++) {
    if (bytes[at] !== open) continue;
    let end = at + 1;
    while (end < to && bytes[end] !== close) end++;
    if (end < to && end > at + 1) return crc16(bytes, at + 1, end) & (slotCount - 1);
    break;
  }
  return crc16(bytes, from, to) & (slotCount - 1);
}

function crc16(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let at = from; at < to; at++)
    crc = ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ (bytes[at] ?? 0)] ?? 0);
  return crc;
}

/** One byte a slot: 1 where it is wanted. */
export type SlotSet = Uint8Array;

export function slotSet(ranges: readonly SlotRange[]): SlotSet {
  const set = new Uint8Array(slotCount);
  for (const [first, last] of ranges) set.fill(1, first, last + 1);
  return set;
}

export const intersect = (one: SlotSet, other: SlotSet): SlotSet =>
  one.map((wanted, slot) => wanted & (other[slot] ?? 0));

export const isEmptySet = (set: SlotSet): boolean => !set.includes(1);

/** `0-5460` or `7000`, as `CLUSTER NODES` writes them. @throws Error for anything else. */
export function parseSlotRange(text: string): SlotRange {
  const [, from, to] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to ?? from)];
  if (!(first <= last && last < slotCount)) throw new Error(`"${text}" is no range of slots`);
  return [first, last];
}
