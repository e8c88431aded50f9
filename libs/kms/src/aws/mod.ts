export { type AwsKmsOptions, createAwsKms } from "./aws-kms.ts";
export { type AwsCredentials, fixedCredentials, type GetCredentials, webIdentity } from "./credentials.ts";
