/**
 * Code that is loaded only when it is used. In the single executable it is an asset beside the code that boots: in one bundle with it,
 * every boot would map and check megabytes more.
 */
import { createRequire } from "node:module";
import { getAsset } from "node:sea";
import { compileFunction } from "node:vm";

/** @param name of the bundle, as scripts/build.mjs makes it. */
export function loadAsset<T>(name: string): T {
  const filename = `${process.execPath}/${name}`;
  const code = compileFunction(
    getAsset(name, "utf8"),
    ["exports", "require", "module", "__filename", "__dirname"],
    { filename },
  );
  const module = { exports: {} };
  code.call(
    module.exports,
    module.exports,
    createRequire(process.execPath),
    module,
    filename,
    process.execPath,
  );
  return module.exports as T;
}
