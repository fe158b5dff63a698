/**
 * A real S3 server in a container, with users who may write, who may only read, and whose space is used up.
 */
import { readFileSync } from "node:fs";
import { CreateBucketCommand, PutBucketPolicyCommand, S3Client } from "@aws-sdk/client-s3";
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";

process.env.TESTCONTAINERS_RYUK_DISABLED = "true";

export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly address: { readonly host: string; readonly port: number };
  readonly client: S3Client;
}

export const bucket = "snapshots-under-test";
/** May hold a MiB. */
export const smallBucket = "small";

export const secretOf = (user: string): string => `the secret of ${user}`;

/** As whom the stores of this process act from now on. */
export function actAs(user: string, secret = secretOf(user)): void {
  process.env.AWS_ACCESS_KEY_ID = user;
  process.env.AWS_SECRET_ACCESS_KEY = secret;
}

export async function startS3Server(image: string): Promise<S3Server> {
  const container = await new GenericContainer(image)
    .withCopyContentToContainer([
      { content: readFileSync(new URL("ceph.sh", import.meta.url), "utf8"), target: "/ceph.sh" },
    ])
    .withCommand(["sh", "/ceph.sh"])
    .withExposedPorts(80)
    .withWaitStrategy(Wait.forHttp("/", 80).withStartupTimeout(120_000))
    .start();
  await Promise.all(["writer", "reader", "miser"].map((user) => createUser(container, user)));
  await admin(container, "quota set --quota-scope=user --uid=miser --max-size=1M");
  await admin(container, "quota enable --quota-scope=user --uid=miser");
  const address = { host: container.getHost(), port: container.getMappedPort(80) };
  const endpoint = `http://${address.host}:${address.port}`;
  const client = clientOf(endpoint, "writer");
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: readOnly("reader") }));
  await clientOf(endpoint, "miser").send(new CreateBucketCommand({ Bucket: smallBucket }));
  return {
    endpoint,
    address,
    client,
    async [Symbol.asyncDispose]() {
      await container.stop();
    },
  };
}

const createUser = (container: StartedTestContainer, user: string): Promise<void> =>
  admin(container, `user create --uid=${user} --display-name=${user} --access-key=${user}`, [
    `--secret-key=${secretOf(user)}`,
  ]);

async function admin(
  container: StartedTestContainer,
  command: string,
  more: readonly string[] = [],
): Promise<void> {
  const { exitCode, output } = await container.exec([
    "radosgw-admin",
    ...command.split(" "),
    ...more,
  ]);
  if (exitCode !== 0) throw new Error(`radosgw-admin ${command}: ${output}`);
}

const clientOf = (endpoint: string, user: string): S3Client =>
  new S3Client({
    endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: user, secretAccessKey: secretOf(user) },
  });

const readOnly = (user: string): string =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { AWS: [`arn:aws:iam:::user/${user}`] },
        Action: ["s3:ListBucket", "s3:GetObject"],
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
      },
    ],
  });
