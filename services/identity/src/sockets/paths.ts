import { reservedLabels, ServiceError } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import type { Vault } from "@portcullis/runtime";
import { tagOf, toText } from "../secrets.ts";
import { readNobodysSocket } from "./nobody.ts";
import type { Socket, SocketStore } from "./store.ts";

const labelShape = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Unreserved characters of RFC 3986 and `/`: what arrives is byte for byte what was chosen, whatever a proxy normalises. */
const pathShape = /^[A-Za-z0-9._~-]+(?:\/[A-Za-z0-9._~-]+)*$/;
const pathLengthMin = 8;
const pathLengthMax = 256;
/** Of a socket's path; what a connection's path has beyond them is never a socket's. */
const partsMax = 8;
const idParameterShape = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/;

export function requireLabel(label: string): string {
  if (!labelShape.test(label)) throw invalid("label", "allowed: 1 to 63 of a-z, 0-9 and -, not at either end");
  if (reservedLabels.has(label)) throw invalid("label", "is reserved");
  return label;
}

/** @param path "" or null: 128 bits are generated. */
export function choosePath(path: string | null, random: (length: number) => Uint8Array): string {
  if (path === null || path === "") return toText(random(16));
  if (
    path.length < pathLengthMin ||
    path.length > pathLengthMax ||
    !pathShape.test(path) ||
    path.split("/").length > partsMax ||
    path.split("/").some((part) => /^\.{1,2}$/.test(part))
  ) {
    throw invalid(
      "path",
      `allowed: ${pathLengthMin} to ${pathLengthMax} of A-Z, a-z, 0-9, . _ ~ - in at most ${partsMax} parts between single slashes`,
    );
  }
  return path;
}

export function requireIdParameter(name: string | null): string {
  const chosen = name ?? "id";
  if (!idParameterShape.test(chosen))
    throw invalid("idParameter", "allowed: a letter, then up to 31 of A-Z, a-z, 0-9, _ and -");
  return chosen;
}

/** What a socket is found by, instead of its path. */
export type PathTag = (label: string, path: string) => string;

export function createPathTag(vault: Pick<Vault, "subkey">): PathTag {
  const key = vault.subkey("path");
  // A label never holds a slash, so the two parts cannot be confused.
  return (label, path) => tagOf(key, `${label}/${path}`);
}

export interface FoundByPath {
  readonly socket: Stored<Socket>;
  /** Its own path. */
  readonly path: string;
  /** What is behind it, without the slash; "" for nothing. */
  readonly rest: string;
}

/**
 * The socket whose path is the longest prefix of this one, at a slash. All are looked up at once, whether or not one is found: how many depends
 * on the text alone. Where none is, that of nobody is read instead.
 */
export async function findByPath(
  store: Pick<SocketStore, "sockets">,
  pathTag: PathTag,
  label: string,
  path: string,
): Promise<FoundByPath | null> {
  const parts = path.split("/");
  const prefixes = parts.slice(0, partsMax).map((_, index) => parts.slice(0, index + 1).join("/"));
  const found = await Promise.all(
    prefixes.toReversed().map(async (prefix) => {
      const socket = await store.sockets.findOne({ pathTag: pathTag(label, prefix) });
      return socket === null ? null : { socket, path: prefix, rest: path.slice(prefix.length + 1) };
    }),
  );
  const longest = found.find((one) => one !== null) ?? null;
  if (longest === null) readNobodysSocket();
  return longest;
}

function invalid(path: string, message: string): ServiceError {
  return new ServiceError("invalid", { issues: [{ path, message }] });
}
