/**
 * Where the API server is, and what opens it: from the settings, else from the pod's service account
 * (Kubernetes documentation, "Accessing the Kubernetes API from a Pod").
 */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { RekindleError } from "../errors.ts";
import { readGiven } from "../files.ts";
import type { KubernetesSettings } from "./settings.ts";

export interface Access {
  readonly server: URL;
  readonly namespace: string;
  /** The own pod's name. */
  readonly pod: string;
  /** Undefined: the authorities that every system trusts. */
  readonly ca: Buffer | undefined;
  readonly insecure: boolean;
  /** Read for each request: Kubernetes renews the file long before the token ends. */
  readToken(): string;
}

const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** @param folder of the service account, elsewhere in tests only. */
export function findAccess(
  settings: KubernetesSettings,
  environment: NodeJS.ProcessEnv,
  folder = accountFolder,
): Access {
  const given = settings.apiCa === undefined ? undefined : readGiven(settings.apiCa, "--api-ca");
  const access = {
    server: findServer(settings.apiServer, environment),
    namespace: settings.namespace ?? readOptional(`${folder}/namespace`)?.toString().trim(),
    pod: settings.pod ?? hostname(),
    ca: given ?? readOptional(`${folder}/ca.crt`),
    insecure: settings.apiInsecure,
    readToken: tokenReader(settings.apiTokenFile, environment.TOKEN, folder),
  };
  access.readToken();
  if (access.namespace === undefined) {
    throw new RekindleError("configuration", "this pod's namespace is not known", {
      hint: "set POD_NAMESPACE from the downward API (metadata.namespace)",
    });
  }
  return { ...access, namespace: access.namespace };
}

/** Kubernetes names its API server to every pod; elsewhere somebody has to. */
export const isInPod = (environment: NodeJS.ProcessEnv): boolean =>
  Boolean(environment.KUBERNETES_SERVICE_HOST || environment.APISERVER);

function findServer(given: string | undefined, environment: NodeJS.ProcessEnv): URL {
  const host = environment.KUBERNETES_SERVICE_HOST;
  const port = environment.KUBERNETES_SERVICE_PORT_HTTPS ?? environment.KUBERNETES_SERVICE_PORT;
  if (given === undefined && !host) {
    throw new RekindleError("configuration", "no Kubernetes API server is named here", {
      hint: "run it in a pod, name the server with --api-server, or find the peers with --dns or --peers",
    });
  }
  const text = given ?? `https://${host?.includes(":") ? `[${host}]` : host}:${port ?? 443}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "https:") return url;
  throw new RekindleError("configuration", `"${text}" is no address of an API server`, {
    hint: "write it as https://host:port in --api-server or APISERVER",
  });
}

function tokenReader(
  file: string | undefined,
  direct: string | undefined,
  folder: string,
): () => string {
  if (file === undefined && direct) return () => direct.trim();
  const path = file ?? `${folder}/token`;
  return () => {
    const token = readOptional(path)?.toString().trim();
    if (token) return token;
    throw new RekindleError(
      "configuration",
      `there is no token for the API server: ${path} is missing or empty`,
      {
        hint: "give the pod a serviceAccountName and automountServiceAccountToken: true, or name a file with --api-token-file",
      },
    );
  };
}

function readOptional(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
