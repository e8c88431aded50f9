import { addressOf } from "../address.ts";
import type { ConnectOptions } from "../options.ts";
import type { Filled, Missing } from "./views/form.ts";

/** Options of `connect` that the element takes for itself. */
type Own =
  | "onChallenge"
  | "automatic"
  | "signal"
  | "appKey"
  | "ticket"
  | "pin"
  | "unpinned"
  | "answers"
  | "answerSecret";

/** What a page gives to the element. */
export interface Given
  extends Pick<ConnectOptions, "appKey" | "ticket" | "pin" | "unpinned" | "answers" | "answerSecret"> {
  readonly url: string;
  /** Null: the page says nothing about it; "": the person is asked. */
  readonly member: string | null;
  /** The token that the gate `jwt` asks for. */
  readonly token?: (() => string | PromiseLike<string>) | undefined;
  readonly options: Readonly<Omit<ConnectOptions, Own>>;
}

export function missingOf({ url, member, appKey, pin, unpinned }: Given): Missing {
  const isPinned = appKey !== undefined || pin !== undefined;
  return {
    url: url === "",
    key: isPinned ? "given" : unpinned === "allow" ? "optional" : "needed",
    member: member === "",
  };
}

export function isComplete({ url, key, member }: Missing): boolean {
  return !url && key === "given" && !member;
}

/** Whether nobody vouches for the server, so that the person has to choose. */
export function isUnpinned({ appKey, pin }: Given, { key = "" }: Filled): boolean {
  return appKey === undefined && pin === undefined && key === "";
}

/** @throws {TypeError} it is no address of a socket; it is not repeated, since its path may be a secret */
export function addressWith({ url, member, options }: Given, filled: Filled): URL {
  const address = new URL(addressOf(filled.url ?? url, options).href);
  const name = filled.member ?? member ?? "";
  if (name !== "") address.searchParams.set(options.idParameter ?? "id", name);
  return address;
}
