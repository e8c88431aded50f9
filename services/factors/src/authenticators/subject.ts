import { createHash } from "node:crypto";
import type { AuthenticatorSubject } from "@portcullis/contracts";

/**
 * Names a subject in the store: SHA-256 over its length-prefixed parts, base64url. Members' names are of any length and alphabet,
 * a document's id is not; the prefixes keep ("a", "bc") and ("ab", "c") apart.
 */
export function subjectId(subject: AuthenticatorSubject): string {
  const hash = createHash("sha256");
  for (const part of ["portcullis/1 authenticator", subject.of, ...partsOf(subject)]) {
    const bytes = Buffer.from(part, "utf8");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  return hash.digest("base64url");
}

/** The socket that takes the authenticator with it when it goes; null for an owner's. */
export function socketOf(subject: AuthenticatorSubject): string | null {
  return subject.of === "owner" ? null : subject.socketId;
}

function partsOf(subject: AuthenticatorSubject): readonly string[] {
  switch (subject.of) {
    case "owner":
      return [subject.ownerId];
    case "socket":
      return [subject.socketId];
    case "member":
      return [subject.socketId, subject.member];
  }
}
