import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyReceipt } from "@portcullis/client";
import { parseAppKey } from "@portcullis/crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { verifyExport } from "../../cli/audit/verify.ts";
import { run, stopPrograms } from "../../deploy/demo/test/program.ts";
import { person } from "./support/account.ts";
import { createCanaries } from "./support/canaries.ts";
import { denial, sessionKeeper } from "./support/sessions.ts";
import { keyAndOtp, makeMember, makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

/** What starts programs is slow: `npm run test:full`. */
const full = process.env.PORTCULLIS_FULL === "1";

interface Entry {
  readonly event: string;
  readonly cause?: string;
  readonly count?: number;
  readonly memberName: string | null;
  readonly session?: string;
  readonly about?: Readonly<Record<string, unknown>>;
}

const keeper = sessionKeeper();
let world: World;
let folder: string;
let token = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "portcullis-audit-"));
  world = await startWorld({ replicas: true });
  const { password } = world.credentials;
  await world.owner.post("/v1/account/email/verify", {
    token: await person(world, world.credentials).mailed(/Confirm/),
  });
  ({ secret: token } = await world.owner.post<{ secret: string }>("/v1/account/tokens", { label: "test", password }));
});
afterEach(() => keeper.closeAll());
afterAll(async () => {
  await stopPrograms();
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

const entriesOf = async ({ id }: OwnedSocket) =>
  (await world.owner.get<{ entries: Entry[] }>(`/v1/sockets/${id}/audit?order=oldest&limit=200`)).entries;

async function exportOf({ id }: OwnedSocket): Promise<string> {
  const response = await fetch(`${world.url}/v1/sockets/${id}/audit/export`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(response.headers.get("content-type")).toMatch(/^application\/x-ndjson/);
  return response.text();
}
const pinOf = ({ appKey }: OwnedSocket) => parseAppKey(appKey).fingerprint;

/** A member comes in, then fails; then they are put out and removed. */
async function aLife(canaries = createCanaries()) {
  const socket = await makeSocket(world.owner, keyAndOtp);
  const bob = await makeMember(world.owner, socket, "bob");
  const url = `${socket.url}?id=bob`;
  const session = await keeper.connect(url, {
    appKey: socket.appKey,
    answers: { otp: () => canaries.plant("code", bob.code(world.now())) },
  });
  const wrong = ["111111", "222222", "333333"];
  const failing = { appKey: socket.appKey, answers: { otp: () => wrong.shift() ?? null } };
  await expect(keeper.connect(url, failing)).rejects.toMatchObject(denial);
  await world.owner.delete(`/v1/sockets/${socket.id}/sessions/${session.sid}`);
  await session.closed;
  return { socket, session };
}

describe("the book of a socket", () => {
  test("has the true cause, is exported with the server's signature, and verifies without the server", async () => {
    const canaries = createCanaries();
    const { socket, session } = await aLife(canaries);
    await expect.poll(async () => (await entriesOf(socket)).map(({ event }) => event)).toContain("denied");
    const entries = await entriesOf(socket);
    // A denial is not waited for, and may be written by another replica a moment later.
    expect(entries.map(({ event }) => event).filter((event) => event !== "denied")).toEqual([
      "socket-changed",
      "key-made",
      "member-added",
      "member-changed",
      "accepted",
      "session-ended",
    ]);
    expect(entries.find(({ event }) => event === "denied")).toMatchObject({
      cause: "too-many-failures",
      memberName: "bob",
    });
    const accepted = entries.find(({ event }) => event === "accepted");
    expect(accepted).toMatchObject({ session: session.sid, about: { policyHash: session.policyHash } });

    const before = await exportOf(socket);
    expect(await verifyExport(before, { pin: pinOf(socket), earlier: null })).toMatchObject({ ok: true, entries: 7 });
    await world.owner.delete(`/v1/sockets/${socket.id}/members/bob`);
    const after = await exportOf(socket);
    expect(await verifyExport(after, { pin: pinOf(socket), earlier: before })).toMatchObject({ ok: true, entries: 8 });
    expect((await entriesOf(socket)).every(({ memberName }) => memberName === null)).toBe(true);
    const { ok, end } = await world.owner.post<{ ok: boolean; end: string }>(`/v1/sockets/${socket.id}/audit/verify`);
    expect([ok, end]).toEqual([true, "known"]);

    const [, path = ""] = /\/([^/]+)$/.exec(socket.url) ?? [];
    canaries.plant("path", path);
    canaries.plant("app key", socket.appKey.split(".")[2] ?? "");
    canaries.plant("owner's address", world.credentials.email);
    expect(canaries.in(Buffer.from(after))).toEqual([]);
    for (const personal of ["bob", "127.0.0.1", "::1"]) expect(after).not.toContain(personal);
  });

  test("of somebody else is not there", async () => {
    const { socket } = await aLife();
    for (const [method, rest] of [
      ["GET", ""],
      ["GET", "/export"],
      ["POST", "/verify"],
    ]) {
      const response = await fetch(`${world.url}/v1/sockets/${socket.id}x/audit${rest}`, {
        method: method ?? "",
        headers: { authorization: `Bearer ${token}` },
      });
      expect(response.status).toBe(404);
    }
  });
});

describe("a receipt", () => {
  test("is signed by the server that let in, and its policy is in the book", async () => {
    const { socket, session } = await aLife();
    const kept = JSON.parse(JSON.stringify(session.receipt));
    const { receipt, problem } = await verifyReceipt(kept, pinOf(socket));
    expect(problem).toBeNull();
    expect(receipt).toMatchObject({ sid: session.sid, member: "bob", policyHash: session.policyHash });
    const policies = (await entriesOf(socket)).filter(({ event }) => event === "socket-changed");
    expect(policies.map(({ about }) => about?.policyHash)).toContain(session.policyHash);
  });
});

describe.runIf(full)("portcullis audit and receipt", { timeout: 60_000 }, () => {
  test("verify what is good, and end with 1 where something was changed", async () => {
    const { socket, session } = await aLife();
    const cli = async (...args: string[]) => {
      const env = { PORTCULLIS_API: world.url, PORTCULLIS_TOKEN: token, XDG_CONFIG_HOME: folder };
      const program = run("cli/main.ts", args, env);
      program.endInput();
      const exit = await program.exit;
      return { exit, out: program.stdout, err: program.stderr };
    };
    const file = join(folder, "book.ndjson");
    expect(await cli("owner", "audit", "list", socket.id)).toMatchObject({
      exit: 0,
      out: expect.stringMatching(/too-many-failures.*bob/),
    });
    expect(await cli("owner", "audit", "verify", socket.id)).toMatchObject({ exit: 0 });
    expect(await cli("owner", "audit", "keep", socket.id, "30", "--yes")).toMatchObject({ exit: 0 });
    expect(await cli("owner", "audit", "export", socket.id, "--out", file)).toMatchObject({ exit: 0 });
    // Nothing is written over.
    expect(await cli("owner", "audit", "export", socket.id, "--out", file)).toMatchObject({ exit: 2 });
    const text = await readFile(file, "utf8");
    const pin = pinOf(socket);
    expect(await cli("audit", "verify", file, "--pin", pin, "--previous", file)).toMatchObject({ exit: 0 });
    const wrong = await cli("audit", "verify", file, "--pin", "AAAAAAAAAAAAAAAAAAAAAA");
    expect(wrong).toMatchObject({ exit: 1, out: expect.stringContaining("another server's") });
    await writeFile(file, text.replace("too-many-failures", "too-few-failures"));
    expect(await cli("audit", "verify", file, "--json")).toMatchObject({ exit: 1 });
    expect(await cli("audit", "verify")).toMatchObject({ exit: 2 });
    expect(await cli("audit", "verify", join(folder, "none"))).toMatchObject({ exit: 2 });
    expect(await cli("audit", "--help")).toMatchObject({ exit: 0, out: expect.stringContaining("--previous") });

    const receipt = join(folder, "receipt.json");
    await writeFile(receipt, JSON.stringify(session.receipt));
    expect(await cli("receipt", "verify", receipt, "--pin", pin)).toMatchObject({ exit: 0 });
    await writeFile(receipt, (await readFile(receipt, "utf8")).replace("bob", "eve"));
    expect(await cli("receipt", "verify", receipt, "--pin", pin)).toMatchObject({ exit: 1 });
    expect(await cli("receipt", "verify", receipt)).toMatchObject({ exit: 2 });
  });
});
