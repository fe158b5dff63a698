// npm run bench:kubernetes: measures on a real Kubernetes, and writes test/bench/results/kubernetes.*
import { measureOnKubernetes } from "./kubernetes.mjs";

measureOnKubernetes("bench-kubernetes", { REKINDLE_BENCH_KUBERNETES: "yes" });
