/** The command line with all its tools, loaded only when it is used. */
import { isSea } from "node:sea";
import { loadAsset } from "./load-asset.ts";

type Tools = typeof import("./command-line.ts");

export const loadTools = async (): Promise<Tools> =>
  isSea() ? loadAsset("tools.cjs") : import("./command-line.ts");
