// npm run test:kubernetes: the tests on a real Kubernetes, each in a namespace of its own. Arguments go to vitest.
import { requireKubernetes } from "./kubernetes.mjs";
import { installDependencies } from "./set-up.mjs";

installDependencies();
requireKubernetes();
process.env.REKINDLE_TEST_KUBERNETES = "yes";
process.argv.splice(2, 0, "--project", "kubernetes");
await import("./test.mjs");
