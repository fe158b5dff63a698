// npm run experiment: what of an application's cache outlives what, on a real Kubernetes; writes the tables in README.
import { measureOnKubernetes } from "./kubernetes.mjs";

measureOnKubernetes("experiment", { REKINDLE_EXPERIMENT: "yes" });
