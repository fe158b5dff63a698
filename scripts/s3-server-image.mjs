// Makes the image of the S3 server that the tests of the stores run against; its name is the one line of output.
import { makeS3Server } from "./debian-base.mjs";

console.log(makeS3Server());
