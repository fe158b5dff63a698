/**
 * The ports of the betas that an alpha sends what is written, by its `INFO replication`. Pure.
 *
 * A beta that is `online` and has its link up may have to wait for that all the same, until its alpha has heard
 * from it once more
 * (`repl_start_cmd_stream_on_ack`); then its offset is known. Up to 6.0 that takes it a second.
 */
export const readFed = (info: ReadonlyMap<string, string>): readonly number[] =>
  [...info].flatMap(([name, value]) => {
    const heard = /port=(\d+),state=online,offset=[1-9]/.exec(value);
    return heard && /^slave\d+$/.test(name) ? [Number(heard[1])] : [];
  });
