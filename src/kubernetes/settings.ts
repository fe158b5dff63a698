/**
 * The settings of every verb that talks to the Kubernetes API. In a pod none of them is needed.
 */
import { onOff, optionalText, type Settings } from "../settings.ts";

export const kubernetesSettingDescriptions = {
  namespace: optionalText("discovery kubernetes: the namespace of the peers", {
    defaultText: "the pod's own",
    alsoEnvironment: ["POD_NAMESPACE"],
  }),
  pod: optionalText("discovery kubernetes: the name of this node's pod", {
    defaultText: "the host name",
    alsoEnvironment: ["POD_NAME"],
  }),
  apiServer: optionalText("the Kubernetes API server, as https://host:port", {
    defaultText: "the one that Kubernetes names in every pod",
    alsoEnvironment: ["APISERVER"],
  }),
  apiTokenFile: optionalText(
    "a file that holds the token for the API server; TOKEN gives it directly",
    { defaultText: "the pod's service account" },
  ),
  apiCa: optionalText("the authorities that sign the API server's certificate", {
    defaultText: "the pod's service account",
  }),
  apiInsecure: onOff(
    "do not check the API server's certificate: whoever answers there gets the token",
  ),
} as const;

export type KubernetesSettings = Settings<typeof kubernetesSettingDescriptions>;
