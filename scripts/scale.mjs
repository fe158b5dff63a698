// npm run scale: apachebench through everything that changes a running Redis, on a real Kubernetes; writes the table in README,
// test/bench/results/scale.* and docs/scale-*.svg
import { measureOnKubernetes } from "./kubernetes.mjs";

measureOnKubernetes("scale", { REKINDLE_SCALE: "yes" });
