/** Where the API server is, and what opens it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findAccess } from "../../src/kubernetes/access.ts";
import { kubernetesSettingDescriptions } from "../../src/kubernetes/settings.ts";
import { readSettings } from "../../src/settings.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rekindle-account-"));
  writeFileSync(join(folder, "token"), "of-the-account\n");
  writeFileSync(join(folder, "namespace"), "here\n");
  writeFileSync(join(folder, "ca.crt"), "the authority");
});
afterEach(() => rmSync(folder, { recursive: true }));

const inPod = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };
const access = (environment: NodeJS.ProcessEnv, flags: Record<string, string> = {}) =>
  findAccess(readSettings(kubernetesSettingDescriptions, flags, environment), environment, folder);

test("in a pod everything comes from Kubernetes, and the token is read again for each request", () => {
  const found = access(inPod);
  expect(found).toMatchObject({
    namespace: "here",
    insecure: false,
    ca: Buffer.from("the authority"),
  });
  expect(found.server.href).toBe("https://10.96.0.1/");
  expect(found.readToken()).toBe("of-the-account");
  writeFileSync(join(folder, "token"), "renewed");
  expect(found.readToken()).toBe("renewed");
});

test("an IPv6 API server is put in brackets", () => {
  expect(access({ ...inPod, KUBERNETES_SERVICE_HOST: "fd00::1" }).server.hostname).toBe(
    "[fd00::1]",
  );
});

test("APISERVER, TOKEN and POD_NAMESPACE of hand-written entrypoints work as well", () => {
  const found = access({
    APISERVER: "https://api:6443",
    TOKEN: "given",
    POD_NAMESPACE: "there",
    POD_NAME: "me",
  });
  expect(found).toMatchObject({ namespace: "there", pod: "me" });
  expect(found.server.host).toBe("api:6443");
  expect(found.readToken()).toBe("given");
});

describe("what is missing is named", () => {
  test.each([
    [
      "the token",
      () => rmSync(join(folder, "token")),
      inPod,
      "there is no token for the API server",
    ],
    [
      "the namespace",
      () => rmSync(join(folder, "namespace")),
      inPod,
      "this pod's namespace is not known",
    ],
    ["the server", () => {}, {}, "no Kubernetes API server is named here"],
    [
      "https",
      () => {},
      { APISERVER: "http://api:8080" },
      '"http://api:8080" is no address of an API server',
    ],
  ] as const)("%s", (_, take, environment, message) => {
    take();
    expect(() => access(environment)).toThrow(message);
  });
});
