/**
 * The command line with all its tools, loaded only when it is used. In the single executable it is an asset beside the code
 * that boots: in one bundle with it, every boot would map and check five megabytes more.
 */
import { createRequire } from "node:module";
import { getAsset, isSea } from "node:sea";
import { compileFunction } from "node:vm";

type Tools = typeof import("./command-line.ts");

export async function loadTools(): Promise<Tools> {
  if (!isSea()) return import("./command-line.ts");
  const filename = `${process.execPath}/tools.cjs`;
  const code = compileFunction(
    getAsset("tools.cjs", "utf8"),
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
  return module.exports as Tools;
}
