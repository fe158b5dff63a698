/**
 * Whether what passes by is a whole RDB: its first bytes, the mark at its end, and the checksum of everything, which the server
 * has computed as it wrote. Pure, but for the hashes.
 */
import { createHash } from "node:crypto";
import { createCrc64 } from "./crc64.ts";
import { createRdbHeadReader } from "./rdb-head.ts";

export interface CheckedRdb {
  readonly bytes: number;
  readonly sha256: string;
  /** The database that the stream after it is in. */
  readonly streamDb: number;
}

export interface RdbCheck {
  update(bytes: Buffer): void;
  readonly bytes: number;
  /** @throws Error in words where it is not whole. */
  end(): CheckedRdb;
}

const checksumBytes = 8;
const endMark = 0xff;

export function createRdbCheck(): RdbCheck {
  const sha256 = createHash("sha256");
  const crc64 = createCrc64();
  const head = createRdbHeadReader();
  /** The last bytes that came: the mark and the checksum, if nothing follows. */
  let tail: Buffer = Buffer.alloc(0);
  let bytes = 0;
  return {
    update(piece) {
      bytes += piece.length;
      head.push(piece);
      sha256.update(piece);
      const isLong = piece.length >= checksumBytes + 1;
      if (isLong) crc64.update(tail);
      const rest = isLong ? piece : Buffer.concat([tail, piece]);
      const end = Math.max(0, rest.length - checksumBytes - 1);
      crc64.update(rest.subarray(0, end));
      tail = Buffer.from(rest.subarray(end));
    },
    get bytes() {
      return bytes;
    },
    end() {
      const { isRdb, fields } = head.read();
      if (!isRdb) throw new Error("it does not begin as an RDB does");
      if (tail[0] !== endMark) throw new Error("its end is missing");
      crc64.update(tail.subarray(0, 1));
      const given = tail.subarray(1);
      // All zero: the server computes none (`rdbchecksum no`).
      if (!given.equals(Buffer.alloc(checksumBytes)) && !given.equals(crc64.digest()))
        throw new Error("its checksum is wrong");
      const streamDb = Number(fields.get("repl-stream-db") ?? 0);
      return { bytes, sha256: sha256.digest("hex"), streamDb };
    },
  };
}
