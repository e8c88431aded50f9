import { createHash } from "node:crypto";
import { fingerprint, verifyAuditStatement } from "@portcullis/crypto";
import { base64url } from "@portcullis/protocol";
import { z } from "zod";

const number = z.number().int().nonnegative();
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const block = z.strictObject({
  socket: z.string(),
  n: number,
  prev: hash,
  // What happened is not looked at: that it is what was written is what the hash says.
  entries: z.array(z.unknown()).min(1),
});
const signed = z.strictObject({
  statement: z.strictObject({ socket: z.string(), first: number, last: number, hash, atMs: number }),
  key: z.string(),
  sig: z.string(),
});

/** What is between `"block":` and the last brace is what was hashed, byte by byte. */
const blockLine = /^\{"hash":"([0-9a-f]{64})","block":(\{.*\})\}$/;

export interface Verified {
  readonly ok: boolean;
  readonly socket: string | null;
  readonly blocks: number;
  readonly entries: number;
  readonly first: number | null;
  readonly last: number | null;
  /** When the server said so, epoch ms; null: nothing that it said holds. */
  readonly signedAtMs: number | null;
  readonly fingerprint: string | null;
  /** Whether that fingerprint was one that was given. */
  readonly pinned: boolean;
  /** The first that was found; lines count from 1. */
  readonly problem: { readonly line: number; readonly what: string } | null;
}

interface Read {
  readonly socket: string | null;
  readonly hashes: Map<number, string>;
  /** Of the block before the first, as that one says. */
  readonly prev: string | null;
  readonly entries: number;
  readonly problem: Verified["problem"];
  readonly statement: z.infer<typeof signed> | null;
  readonly lines: number;
}

/** Follows the chain, line by line, up to the first thing that is wrong. */
function read(text: string): Read {
  const lines = text.split("\n");
  // Each line ends in a line feed: one that does not was cut off.
  const end = lines.pop();
  const hashes = new Map<number, string>();
  let socket: string | null = null;
  let before: { n: number; hash: string } | null = null;
  let prev: string | null = null;
  let entries = 0;
  let statement: Read["statement"] = null;
  const so = (problem: Read["problem"]): Read => ({
    socket,
    hashes,
    prev,
    entries,
    problem,
    statement,
    lines: lines.length,
  });
  for (const [index, line] of lines.entries()) {
    const wrong = (what: string) => so({ line: index + 1, what });
    if (statement !== null) return wrong("stands behind the server's statement");
    const [, stated, body] = blockLine.exec(line) ?? [];
    if (stated === undefined || body === undefined) {
      statement = parsed(signed, line);
      if (statement === null) return wrong("is neither a block nor a statement");
      continue;
    }
    if (createHash("sha256").update(body).digest("hex") !== stated)
      return wrong("was changed: its hash is another one");
    const found = parsed(block, body);
    if (found === null) return wrong("is no block");
    socket ??= found.socket;
    if (found.socket !== socket) return wrong("is of another socket");
    if (before !== null && found.n !== before.n + 1)
      return wrong(found.n > before.n ? `blocks are missing behind ${before.n}` : "is not in its place");
    if (before !== null && found.prev !== before.hash) return wrong("does not go on from the block before");
    prev ??= found.prev;
    before = { n: found.n, hash: stated };
    hashes.set(found.n, stated);
    entries += found.entries.length;
  }
  if (end !== "") return so({ line: lines.length + 1, what: "is cut off" });
  return so(null);
}

function parsed<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> | null {
  try {
    const { success, data } = schema.safeParse(JSON.parse(text));
    return success ? data : null;
  } catch {
    return null;
  }
}

/**
 * Checks an export without asking anybody. The chain says that nothing in it was changed, removed or moved; the statement that it is the server's, from its first
 * block to its last; an earlier export that nothing of what was there then was written anew since.
 *
 * @param options.pin fingerprint of the server; null: whose statement it is, nobody has said
 * @param options.earlier another export of the same book
 */
export async function verifyExport(
  text: string,
  options: { readonly pin: string | null; readonly earlier: string | null },
): Promise<Verified> {
  const found = read(text);
  const { socket, hashes, entries, lines, statement } = found;
  const [first = null] = hashes.keys();
  const last = first === null ? null : first + hashes.size - 1;
  const said = statement === null ? null : await ofStatement(statement);
  const problem =
    found.problem ??
    statementProblem(
      { socket, first, last, hash: last === null ? null : (hashes.get(last) ?? null) },
      statement,
      said,
      {
        line: lines,
        pin: options.pin,
      },
    ) ??
    (options.earlier === null ? null : earlierProblem(found, read(options.earlier), lines));
  return {
    ok: problem === null,
    socket,
    blocks: hashes.size,
    entries,
    first,
    last,
    signedAtMs: problem === null ? (statement?.statement.atMs ?? null) : null,
    fingerprint: said?.fingerprint ?? null,
    pinned: options.pin !== null && said?.fingerprint === options.pin,
    problem,
  };
}

async function ofStatement({ statement, key, sig }: z.infer<typeof signed>) {
  const [idKey, signature] = [bytesOf(key), bytesOf(sig)];
  if (idKey?.length !== 32 || signature === null) return { holds: false, fingerprint: null };
  const holds = await verifyAuditStatement(idKey, statement, signature);
  return { holds, fingerprint: await fingerprint(idKey) };
}

function statementProblem(
  chain: {
    readonly socket: string | null;
    readonly first: number | null;
    readonly last: number | null;
    readonly hash: string | null;
  },
  signedLine: z.infer<typeof signed> | null,
  said: { readonly holds: boolean; readonly fingerprint: string | null } | null,
  { line, pin }: { readonly line: number; readonly pin: string | null },
): Verified["problem"] {
  const wrong = (what: string) => ({ line, what });
  if (signedLine === null || said === null) return wrong("the server's statement is missing: the end may be cut off");
  const { statement } = signedLine;
  if (!said.holds) return wrong("the signature of the statement is wrong");
  if (pin !== null && said.fingerprint !== pin) return wrong("the statement is another server's");
  if (statement.socket !== chain.socket) return wrong("the statement is about another socket");
  if (statement.first !== chain.first) return wrong("blocks are missing at the beginning");
  if (statement.last !== chain.last || statement.hash !== chain.hash)
    return wrong("the blocks end elsewhere than the statement says");
  return null;
}

/** What both have must be the same, and none of what was there then may be missing now but at the front, where books are cut by their age. */
function earlierProblem(now: Read, then: Read, line: number): Verified["problem"] {
  const wrong = (what: string) => ({ line, what });
  if (then.problem !== null) return wrong("the earlier export does not verify itself");
  if (then.socket !== now.socket) return wrong("the earlier export is of another socket");
  const [firstNow = 0] = now.hashes.keys();
  for (const [n, hash] of then.hashes) {
    if (n >= firstNow && now.hashes.get(n) !== hash)
      return wrong(`does not go on from the earlier export: block ${n} is another one`);
  }
  const lastThen = [...then.hashes.keys()].at(-1) ?? 0;
  if (firstNow > lastThen + 1)
    return wrong("nothing is there that both exports have, or that follows: what was between is not known");
  const before = then.hashes.get(firstNow - 1);
  if (before !== undefined && before !== now.prev)
    return wrong(`does not go on from the earlier export: it begins behind another block ${firstNow - 1}`);
  return null;
}

/** Null for what is no base64url, and for a second text of the same bytes: no byte of a file may be another one unseen. */
function bytesOf(text: string): Uint8Array | null {
  try {
    return base64url.decode(text);
  } catch {
    return null;
  }
}
