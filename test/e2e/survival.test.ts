import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@portcullis/client";
import { afterAll, afterEach, expect, test } from "vitest";
import { freePort } from "../../deploy/local/free-port.ts";
import { signIn, signUp } from "../../deploy/local/owner.ts";
import { type Program, startProgram } from "./support/process.ts";
import { denial, sessionKeeper } from "./support/sessions.ts";
import { keyOnly, makeKey, makeMember, makeSocket } from "./support/socket.ts";

const folder = mkdtempSync(join(tmpdir(), "portcullis-survival-"));
const keeper = sessionKeeper();
const programs = new Set<Program>();
afterEach(() => keeper.closeAll());
afterAll(async () => {
  for (const program of programs) {
    program.signal("SIGKILL");
    await program.ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

function start(env: Readonly<Record<string, string>>): Program {
  const program = startProgram("start.ts", { DEMO: "false", SIGN_UP: "open", RATE_LIMIT_PER_MINUTE: "100000", ...env });
  programs.add(program);
  return program;
}

async function startReady(env: Readonly<Record<string, string>>): Promise<{ program: Program; url: string }> {
  const program = start(env);
  const [, url = ""] = await program.until(/ready: (http:\S+)/);
  return { program, url };
}

async function kill(program: Program): Promise<void> {
  program.signal("SIGKILL");
  expect(await program.ended).toEqual({ code: null, signal: "SIGKILL" });
}

test("accounts, sockets, used codes and revocations survive kill -9", async () => {
  const env = { PORT: `${await freePort()}`, DATA_DIR: join(folder, "survives") };
  const credentials = { email: "owner@example.com", password: "a long enough passphrase" };
  const before = await startReady(env);
  await signUp(before.url, credentials, null);
  const owner = await signIn(before.url, credentials);
  const socket = await makeSocket(owner);
  const bob = await makeMember(owner, socket, "bob");
  const ann = await makeMember(owner, socket, "ann");
  const revoked = await makeKey(owner, socket.id);
  const open = await makeSocket(owner, keyOnly);

  const nowMs = Date.now();
  const join_ = (name: string, code: string, appKey = socket.appKey) =>
    keeper.connect(`${socket.url}?id=${name}`, {
      appKey,
      offer: [{ gate: "otp", value: code }],
      answers: { otp: () => null },
    });
  await join_("bob", bob.code(nowMs));
  const kicked = await keeper.connect(open.url, open);
  await owner.delete(`/v1/sockets/${open.id}/sessions/${kicked.sid}`);
  const stays = await keeper.connect(open.url, open);
  await owner.delete(`/v1/sockets/${socket.id}/keys/${revoked.keyId}`);
  // At once: nothing may still be on its way to the disk.
  await kill(before.program);
  expect(await stays.closed).toMatchObject({ reason: "lost", sealed: false });

  const { program, url } = await startReady(env);
  expect(url).toBe(before.url);
  // The session of the API as well as the account.
  expect((await owner.get<{ sockets: unknown[] }>("/v1/sockets")).sockets).toHaveLength(2);
  const again = await signIn(url, credentials);
  expect(await again.get(`/v1/sockets/${socket.id}`)).toMatchObject({ id: socket.id });

  await expect(join_("bob", bob.code(nowMs))).rejects.toMatchObject({ code: "cancelled" });
  await expect(join_("ann", ann.code(nowMs), revoked.appKey)).rejects.toMatchObject(denial);
  // Neither the clock nor the app key is why: a later code of the one, a code of the other.
  await join_("bob", bob.code(Math.max(Date.now(), nowMs + 30_000)));
  await join_("ann", ann.code(Date.now()));
  await keeper.connect(open.url, open);
  await kill(program);
}, 180_000);

test.for(["SIGTERM", "SIGINT"] as const)(
  "%s ends it within 5 s, cleanly, with connections open",
  { timeout: 120_000 },
  async (signal) => {
    const { program, url } = await startReady({ PORT: "0", DATA_DIR: join(folder, signal) });
    const credentials = { email: "owner@example.com", password: "a long enough passphrase" };
    await signUp(url, credentials, null);
    const owner = await signIn(url, credentials);
    const socket = await makeSocket(owner, keyOnly);
    const session = await connect(socket.url, socket);
    const stoppedAt = performance.now();
    program.signal(signal);
    expect(await session.closed).toMatchObject({ code: 1012, retry: true });
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - stoppedAt).toBeLessThan(5_000);
    expect(program.err()).toBe("");
  },
);

test("what cannot work is said in one clear line, and the exit code is 1", async () => {
  const occupied = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => occupied.once("listening", resolve));
  const { port } = occupied.address() as AddressInfo;
  const file = join(folder, "file");
  writeFileSync(file, "");
  const cases = [
    { env: { PORT: `${port}`, DATA_DIR: join(folder, "port") }, says: [/PORT/, new RegExp(`${port}`), /in use/] },
    { env: { PORT: "0", EDGE_PORT: `${port}`, DATA_DIR: join(folder, "edge") }, says: [/EDGE_PORT/, /in use/] },
    { env: { PORT: "eighty", DATA_DIR: join(folder, "setting") }, says: [/PORT/] },
    { env: { PORT: "0", SIGN_UP: "maybe", DATA_DIR: join(folder, "choice") }, says: [/SIGN_UP/, /open/, /closed/] },
    // Not even root can make a folder below a file.
    { env: { PORT: "0", DATA_DIR: join(file, "data") }, says: [/DATA_DIR/] },
  ];
  await Promise.all(
    cases.map(async ({ env, says }) => {
      const program = start(env);
      expect(await program.ended).toEqual({ code: 1, signal: null });
      const lines = program.err().trimEnd().split("\n");
      expect(lines, program.err()).toHaveLength(1);
      for (const pattern of says) expect(lines[0]).toMatch(pattern);
      expect(program.out()).not.toContain("ready");
    }),
  );
  occupied.close();
}, 180_000);

test("all bad settings are named at once", async () => {
  const program = start({ PORT: "eighty", SIGN_UP: "maybe", SWEEP_INTERVAL: "-1", DATA_DIR: join(folder, "many") });
  expect(await program.ended).toEqual({ code: 1, signal: null });
  for (const name of ["PORT", "SIGN_UP", "SWEEP_INTERVAL"]) expect(program.err()).toContain(name);
}, 90_000);
