import { createHash } from "node:crypto";
import { generateIdentity, type Identity, signAuditStatement } from "@portcullis/crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { verifyExport } from "./verify.ts";

const socket = "socket-1";
let identity: Identity;
let other: Identity;
beforeAll(async () => {
  ({ identity } = await generateIdentity());
  ({ identity: other } = await generateIdentity());
});

interface Block {
  readonly hash: string;
  readonly text: string;
}

function chain(count: number, first = 1, prev = "0".repeat(64), salt = ""): Block[] {
  const blocks: Block[] = [];
  let before = prev;
  for (let n = first; n < first + count; n += 1) {
    const entries = ["a", "b"].map((cause) => ({ atMs: n, event: "denied", cause: `${cause}${n}${salt}` }));
    const text = JSON.stringify({ socket, n, prev: before, entries });
    before = createHash("sha256").update(text).digest("hex");
    blocks.push({ hash: before, text });
  }
  return blocks;
}

const lineOf = ({ hash, text }: Block) => `{"hash":"${hash}","block":${text}}`;
const numberOf = ({ text }: Block): number => JSON.parse(text).n;

async function statement(blocks: readonly Block[], by = identity, of = socket): Promise<string> {
  const [first, last] = [blocks[0], blocks.at(-1)];
  if (first === undefined || last === undefined) throw new Error("no blocks");
  const said = { socket: of, first: numberOf(first), last: numberOf(last), hash: last.hash, atMs: 1_795_000_000_000 };
  const sig = Buffer.from(await signAuditStatement(by, said)).toString("base64url");
  return JSON.stringify({ statement: said, key: Buffer.from(by.publicKey).toString("base64url"), sig });
}

const fileOf = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");
const exported = async (blocks: readonly Block[]) => fileOf([...blocks.map(lineOf), await statement(blocks)]);
const verify = (text: string, earlier: string | null = null, pin: string | null = identity.fingerprint) =>
  verifyExport(text, { pin, earlier });

describe("an export", () => {
  test("verifies as it was written, from wherever its book begins", async () => {
    expect(await verify(await exported(chain(5)))).toMatchObject({
      ok: true,
      blocks: 5,
      entries: 10,
      first: 1,
      last: 5,
      pinned: true,
      signedAtMs: 1_795_000_000_000,
    });
    expect(await verify(await exported(chain(3, 40, "a".repeat(64))))).toMatchObject({ ok: true, first: 40, last: 42 });
    const { ok, pinned, fingerprint } = await verify(await exported(chain(2)), null, null);
    expect([ok, pinned, fingerprint]).toEqual([true, false, identity.fingerprint]);
  });

  test("does not verify with any byte of it changed", async () => {
    const text = await exported(chain(3));
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.integer({ min: 32, max: 126 }), async (at, code) => {
        const character = String.fromCharCode(code);
        if (text[at] === character) return;
        expect((await verify(text.slice(0, at) + character + text.slice(at + 1))).ok).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  test("does not verify with any line removed, repeated or moved, nor cut off anywhere", async () => {
    const blocks = chain(6);
    const lines = [...blocks.map(lineOf), await statement(blocks)];
    const index = fc.nat(lines.length - 1);
    await fc.assert(
      fc.asyncProperty(index, index, fc.constantFrom("remove", "repeat", "move"), async (from, to, how) => {
        const [line = ""] = lines.slice(from, from + 1);
        const without = lines.filter((_, each) => each !== from);
        const altered =
          how === "remove" ? without : how === "repeat" ? lines.toSpliced(to, 0, line) : without.toSpliced(to, 0, line);
        if (altered.join() === lines.join()) return;
        expect((await verify(fileOf(altered))).ok, `${how} ${from} ${to}`).toBe(false);
      }),
      { numRuns: 100 },
    );
    const text = fileOf(lines);
    for (const length of [0, 1, 100, text.length - 2, text.length - 1])
      expect((await verify(text.slice(0, length))).ok, String(length)).toBe(false);
  });

  test("does not verify with entries removed, repeated or exchanged, also where all hashes are computed anew", async () => {
    const blocks = chain(4);
    const signed = await statement(blocks);
    const change = fc.constantFrom(
      (all: unknown[]) => all.slice(1),
      (all: unknown[]) => all.toReversed(),
      (all: unknown[]) => [...all, ...all.slice(0, 1)],
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(3), change, fc.boolean(), async (at, alter, anew) => {
        let before = "0".repeat(64);
        const altered = blocks.map(({ hash, text }, index) => {
          const parsed = JSON.parse(text);
          const entries = index === at ? alter(parsed.entries) : parsed.entries;
          const next = JSON.stringify({ ...parsed, prev: anew ? before : parsed.prev, entries });
          before = createHash("sha256").update(next).digest("hex");
          return { hash: anew ? before : hash, text: next };
        });
        const { ok, problem } = await verify(fileOf([...altered.map(lineOf), signed]));
        expect(ok).toBe(false);
        expect(problem?.what).toMatch(anew ? /end elsewhere/ : /changed/);
      }),
    );
  });

  test("does not verify with a block in the middle that is right by itself, nor with anything behind the end", async () => {
    const blocks = chain(4);
    const lines = [...blocks.map(lineOf), await statement(blocks)];
    const text = (blocks[1]?.text ?? "").replace("denied", "accepted");
    const other = { text, hash: createHash("sha256").update(text).digest("hex") };
    expect((await verify(fileOf(lines.toSpliced(1, 1, lineOf(other))))).problem).toEqual({
      line: 3,
      what: "does not go on from the block before",
    });
    for (const more of ["x", "\n", lines[0] ?? ""]) expect((await verify(fileOf(lines) + more)).ok, more).toBe(false);
  });

  test("does not verify with somebody else's signature, or a statement about something else", async () => {
    const blocks = chain(3);
    const lines = blocks.map(lineOf);
    const what = async (last: string) => (await verify(fileOf([...lines, last]))).problem?.what;
    expect(await what(await statement(blocks, other))).toBe("the statement is another server's");
    expect(await what(await statement(blocks, identity, "socket-2"))).toBe("the statement is about another socket");
    expect(await what(await statement(blocks.slice(1)))).toBe("blocks are missing at the beginning");
    expect(await what(await statement(blocks.slice(0, 2)))).toBe("the blocks end elsewhere than the statement says");
    const forged = JSON.parse(await statement(blocks));
    forged.statement.atMs += 1;
    expect(await what(JSON.stringify(forged))).toBe("the signature of the statement is wrong");
  });

  test("does not verify where blocks of two sockets stand together", async () => {
    const [one, two] = chain(2);
    if (one === undefined || two === undefined) throw new Error("no blocks");
    const text = two.text.replace(socket, "socket-2");
    const moved = { text, hash: createHash("sha256").update(text).digest("hex") };
    expect((await verify(fileOf([lineOf(one), lineOf(moved), await statement([one, moved])]))).problem?.what).toBe(
      "is of another socket",
    );
  });
});

describe("beside an earlier export", () => {
  test("what goes on from it verifies, also where the front was cut by its age", async () => {
    const all = chain(8);
    const then = await exported(all.slice(0, 4));
    expect(await verify(await exported(all), then)).toMatchObject({ ok: true, last: 8 });
    expect(await verify(await exported(all.slice(3)), then)).toMatchObject({ ok: true });
    expect(await verify(await exported(all.slice(4)), then)).toMatchObject({ ok: true });
    expect(await verify(then, then)).toMatchObject({ ok: true });
  });

  test("what was written anew, cut off since, or has a hole in between does not, whoever signed it", async () => {
    const all = chain(8);
    const then = await exported(all.slice(0, 4));
    const what = async (now: readonly Block[]) => (await verify(await exported(now), then)).problem?.what;
    expect(await what(chain(8, 1, undefined, "another"))).toMatch(/block 1 is another one/);
    expect(await what(all.slice(0, 3))).toMatch(/block 4 is another one/);
    const third = all[2]?.hash ?? "";
    expect(await what([...all.slice(0, 3), ...chain(5, 4, third, "another")])).toMatch(/block 4 is another one/);
    expect(await what(all.slice(5))).toMatch(/not known/);
    // Of a book that was set back, written anew, and cut at the front to where the earlier one ends.
    for (const length of [4, 8])
      expect(await what(chain(8, 1, undefined, "another").slice(4, length + 1))).toMatch(/behind another block 4/);
    const [broken] = then.split("\n");
    expect((await verify(await exported(all), `${broken}\nx\n`)).ok).toBe(false);
  });
});
