/**
 * Settings of the stores, for every verb that opens one. The verb itself describes the URL.
 */
import {
  type Described,
  duration,
  onOff,
  optionalText,
  type Setting,
  type Settings,
} from "../settings.ts";

const endpoint: Setting<string | undefined> = {
  describe: "where the store answers, for S3 elsewhere than at Amazon, or an emulator of Google's",
  read: readEndpoint,
};

/** For the settings that name one. */
export const storeForms = "file:///folder, s3://bucket/prefix or gs://bucket/prefix";

export const storeSettingDescriptions = {
  storeEndpoint: endpoint,
  storeRegion: optionalText("S3: the bucket's region", {
    alsoEnvironment: ["AWS_REGION", "AWS_DEFAULT_REGION"],
    defaultText: "us-east-1",
  }),
  storePathStyle: onOff("S3: the bucket's name in the path, not in the host name"),
  storeEncryption: optionalText(
    "encryption by the store: aes256, aws:kms or aws:kms:KEY for S3; the name of a KMS key for Google",
  ),
  storeClass: optionalText("the storage class of what is written, as the store calls it"),
  storePatience: duration(
    "how long a store may get nothing done before it is given up",
    { from: 1_000, to: 3_600_000 },
    "60s",
  ),
  encryptionKeyFile: optionalText(
    "a file of 32 bytes in hex or base64: what is stored is encrypted with it before it leaves",
  ),
} as const satisfies Described;

/** `Settings` of a verb have these among others. */
export type StoreSettings = Settings<typeof storeSettingDescriptions>;

function readEndpoint(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isPlain = url?.username === "" && url.password === "" && url.search === "";
  if (!isPlain || !["http:", "https:"].includes(url?.protocol ?? ""))
    throw new Error("expected a URL as https://s3.example.com");
  return value;
}
