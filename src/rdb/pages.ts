/**
 * Collects small pieces: a disk takes few large ones better.
 */
const pageBytes = 512 * 1024;

export interface Pages {
  append(bytes: Buffer, from?: number, to?: number): void;
  /**
   * The full pages.
   *
   * @param isLast with what does not fill a page.
   */
  take(isLast?: boolean): Buffer[];
}

export function createPages(): Pages {
  let full: Buffer[] = [];
  let page = Buffer.allocUnsafeSlow(pageBytes);
  let used = 0;

  function turn(): void {
    full.push(page.subarray(0, used));
    page = Buffer.allocUnsafeSlow(pageBytes);
    used = 0;
  }

  return {
    append(bytes, from = 0, to = bytes.length) {
      for (let at = from; at < to; ) {
        const copied = bytes.copy(page, used, at, to);
        at += copied;
        used += copied;
        if (used === pageBytes) turn();
      }
    },
    take(isLast = false) {
      if (isLast && used > 0) turn();
      const taken = full;
      full = [];
      return taken;
    },
  };
}
