/**
 * The checksum at the end of every RDB: CRC-64 as Redis has it ("Jones", reflected: `crc64.c`). Pure.
 *
 * Numbers of 32 bits in two halves, since BigInt is a hundred times slower, and eight bytes a step, with a table for each.
 */

const polynomial = 0x95ac9329ac4bc9b5n;
const tables = 8;

/** At `256 * k + n`: what byte `n` makes of the checksum when `k` more bytes follow. */
const low = new Int32Array(256 * tables);
const high = new Int32Array(256 * tables);

function fillTables(): void {
  for (let n = 0; n < 256; n++) {
    let crc = BigInt(n);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
    low[n] = Number(crc & 0xffffffffn);
    high[n] = Number(crc >> 32n);
  }
  for (let at = 256; at < low.length; at++) {
    const [l, h] = [low[at - 256] as number, high[at - 256] as number];
    low[at] = ((l >>> 8) | (h << 24)) ^ (low[l & 255] as number);
    high[at] = (h >>> 8) ^ (high[l & 255] as number);
  }
}

export interface Crc64 {
  update(bytes: Uint8Array): void;
  /** As the RDB has it: eight bytes, the lowest first. */
  digest(): Buffer;
}

/** What eight bytes, in two halves already mixed with the checksum so far, make of it. */
const mix = (table: Int32Array, a: number, b: number): number =>
  (table[1792 + (a & 255)] as number) ^
  (table[1536 + ((a >>> 8) & 255)] as number) ^
  (table[1280 + ((a >>> 16) & 255)] as number) ^
  (table[1024 + (a >>> 24)] as number) ^
  (table[768 + (b & 255)] as number) ^
  (table[512 + ((b >>> 8) & 255)] as number) ^
  (table[256 + ((b >>> 16) & 255)] as number) ^
  (table[b >>> 24] as number);

export function createCrc64(): Crc64 {
  if (low[1] === 0) fillTables();
  let [l, h] = [0, 0];
  return {
    update(bytes) {
      const byte = (at: number): number => bytes[at] as number;
      const word = (at: number): number =>
        byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24);
      let at = 0;
      for (const end = bytes.length - 7; at < end; at += 8) {
        const a = l ^ word(at);
        const b = h ^ word(at + 4);
        l = mix(low, a, b);
        h = mix(high, a, b);
      }
      for (; at < bytes.length; at++) {
        const n = (l ^ byte(at)) & 255;
        l = ((l >>> 8) | (h << 24)) ^ (low[n] as number);
        h = (h >>> 8) ^ (high[n] as number);
      }
    },
    digest() {
      const digest = Buffer.alloc(8);
      digest.writeInt32LE(l, 0);
      digest.writeInt32LE(h, 4);
      return digest;
    },
  };
}
