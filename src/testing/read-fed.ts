/**
 * The ports of the betas that an alpha sends what is written, by its `INFO replication`. Pure.
 *
 * A beta whose link is up may have to wait for that: its alpha has to have heard from it once more, which takes it up to a second before 7.0.
 */
export const readFed = (info: ReadonlyMap<string, string>): readonly number[] =>
  [...info].flatMap(([name, value]) => {
    const port = /^slave\d+$/.test(name) ? /port=(\d+),state=online/.exec(value)?.[1] : undefined;
    return port === undefined ? [] : [Number(port)];
  });
