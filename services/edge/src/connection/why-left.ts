import { closeCodes } from "@portcullis/protocol";

/** What `identity` is told of a connection that ended before a verdict. */
export function whyOf(closeCode: number | null): "closed" | "deadline" | "malformed" | "limits" {
  switch (closeCode) {
    case closeCodes.deadline.code:
      return "deadline";
    case closeCodes.malformed.code:
    case closeCodes["out-of-order"].code:
    case closeCodes.unsupported.code:
      return "malformed";
    case closeCodes["too-large"].code:
    case closeCodes.rate.code:
      return "limits";
    default:
      return "closed";
  }
}
