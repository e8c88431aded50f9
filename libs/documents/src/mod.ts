export { madeUp } from "./made-up.ts";
export {
  type Collection,
  type CollectionDefinition,
  type Documents,
  DuplicateError,
  type Filter,
  type FindOptions,
  type Index,
  type Indexed,
  type Stored,
} from "./port.ts";
export { insertWithin, type Limit } from "./within.ts";
