export { choose } from "./choose.ts";
export {
  callMsMax,
  type Kms,
  type KmsContext,
  KmsError,
  type KmsFailure,
  type KmsKind,
  keyBytes,
  kmsKinds,
  type WrappedKey,
  wrappedLengthMax,
} from "./port.ts";
