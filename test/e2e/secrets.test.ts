import { randomBytes, randomInt } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMember, handshakeOpen, identityOpen, signIn, verifyFactors } from "@portcullis/contracts";
import { parseAppKey } from "@portcullis/crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scan } from "../../deploy/demo/authenticator.ts";
import { everythingIn } from "../attack/support/store.ts";
import { addSecondFactor, person } from "./support/account.ts";
import { type Canaries, createCanaries } from "./support/canaries.ts";
import { failEverywhere } from "./support/failures.ts";
import { ask } from "./support/http.ts";
import { read, sessionKeeper } from "./support/sessions.ts";
import { keyAndOtp } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

const folder = mkdtempSync(join(tmpdir(), "portcullis-secrets-"));
const keeper = sessionKeeper();
const canaries = createCanaries();
const traffic: Uint8Array[] = [];
const label = `label${randomBytes(8).toString("hex")}`;
let world: World;
let socketId = "";
/** Ids of sockets at which all that fails was tried. */
let failed: { readonly lockedOut: string; readonly decoyed: string };

/** Everything that somebody can do with a secret here: right, wrong, and where it does not belong. */
beforeAll(async () => {
  world = await startWorld({
    dataDir: folder,
    replicas: true,
    env: { TRUSTED_PROXIES: "127.0.0.1,::1" },
    onTraffic: (bytes) => void traffic.push(bytes.slice()),
  });
  const owner = person(world, {
    email: `${canaries.make("owner's e-mail")}@example.com`,
    password: canaries.make("owner's password"),
  });
  await owner.signUp();
  const cookie = canaries.plant("cookie", await owner.signedIn());
  canaries.plant("cookie's secret", cookie.slice(cookie.indexOf("=") + 1));
  const { app, recoveryCodes } = await addSecondFactor(world, owner, cookie);
  canaries.plant("owner's authenticator", app.secret.bytes);
  canaries.plant("recovery code", recoveryCodes[0] ?? "");
  await owner.signedIn({ recoveryCode: recoveryCodes[0] });
  const token = canaries.plant("mail token", await owner.mailed(/Confirm/));
  await owner.post("/v1/account/email/verify", { token }, cookie);
  // An address gets one mail a minute.
  world.advance(60_001);
  await world.fresh();
  // A mailbox gets one mail a minute.
  world.advance(61_000);
  await world.fresh();
  await owner.post("/v1/account/password/forgot", { email: owner.email });
  canaries.plant("reset token", await owner.mailed(/Reset/));
  await owner.signIn({ password: canaries.make("wrong password") });
  await ask(world.url, "POST", "/v1/account", { body: `{"password":"${canaries.make("unreadable body")}` });
  const made = await owner.post(
    "/v1/account/tokens",
    { label: "test", password: owner.password, code: app.code(world.now()) },
    cookie,
  );
  canaries.plant("API token", String(made.body.secret));

  const path = canaries.make("path");
  const socket = await owner.post("/v1/sockets", { label, path, policy: keyAndOtp }, cookie);
  socketId = String(socket.body.id);
  const key = await owner.post(`/v1/sockets/${socketId}/keys`, { label: "test" }, cookie);
  const appKey = String(key.body.key);
  canaries.plant("app key", parseAppKey(appKey).secret.slice());
  canaries.plant("app key's text", appKey.split(".")[2] ?? "");
  const phone = `49${randomInt(1e9, 9e9)}${randomInt(10, 99)}`;
  canaries.plant("phone", phone);
  const member = {
    name: "bob",
    passphrase: canaries.make("passphrase"),
    contacts: { email: `${canaries.make("e-mail")}@example.com`, phone: `+${phone}` },
  };
  expect((await owner.post(`/v1/sockets/${socketId}/members`, member, cookie)).status).toBe(201);
  const enrolled = await owner.post(`/v1/sockets/${socketId}/members/bob/authenticator`, undefined, cookie);
  const bob = scan(String(enrolled.body.uri));
  canaries.plant("authenticator", bob.secret.bytes);
  canaries.plant("authenticator's text", new URL(String(enrolled.body.uri)).searchParams.get("secret") ?? "");

  const url = `${world.edges[1]}/${label}/${path}?id=bob`;
  const codes = [canaries.make("wrong code"), canaries.plant("code", bob.code(world.now()))];
  const session = await keeper.connect(url, { appKey, answers: { otp: () => codes.shift() ?? null }, echo: true });
  await session.send(canaries.make("message"));
  expect(await read(session, 1)).toHaveLength(1);
  const stray = canaries.make("stray path");
  await keeper.connect(url.replace(path, stray), { appKey, offer: [] }).catch(() => undefined);
  for (const strange of [path, stray]) await fetch(`${world.url}/${label}/${strange}?id=bob`);
  await owner.delete(`/v1/sockets/${socketId}/sessions/${session.sid}`, undefined, cookie);
  await session.closed;
  const from = canaries.plant("network", "203.0.113.211");
  failed = await failEverywhere({ owner: world.owner, canaries, edge: world.edges[1], from });
}, 60_000);

afterAll(async () => {
  await keeper.closeAll();
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

const onDisk = () =>
  Buffer.concat(
    readdirSync(folder)
      .filter((name) => name.startsWith("portcullis.sqlite"))
      .map((name) => readFileSync(join(folder, name))),
  );

describe("no planted secret", () => {
  test("crosses the bus readable", () => {
    const bytes = Buffer.concat(traffic.flatMap((one) => [one, Buffer.of(0)]));
    expect(canaries.names.length).toBeGreaterThan(15);
    expect(canaries.in(bytes)).toEqual([]);
    // What does cross it readable is found: this is the traffic, and the search works on it.
    expect(known({ socketId }).in(bytes)).toEqual(["socketId (raw)"]);
    for (const contract of [signIn, createMember, handshakeOpen, identityOpen, verifyFactors])
      expect(known({ subject: contract.name }).in(bytes)).toEqual(["subject (raw)"]);
  });

  test("is in the database readable", () => {
    const bytes = onDisk();
    expect(canaries.in(bytes)).toEqual([]);
    expect(known({ label }).in(bytes)).toEqual(["label (raw)"]);
    // What came of failing is there: its book, its alerts, what is held, and what was written down in the decoy.
    const names = ["identity_audit_blocks", "identity_alerts", "identity_decoys", "keys_decoy_records"];
    const rows = everythingIn(folder);
    for (const name of names)
      expect(
        [...rows.keys()].some((row) => row.startsWith(`${name}/`)),
        name,
      ).toBe(true);
    for (const id of Object.values(failed)) expect(known({ id }).in(bytes)).toEqual(["id (raw)"]);
    expect(known({ held: `identity:hold:gate:${failed.lockedOut}` }).in(bytes)).toEqual(["held (raw)"]);
  });

  test("is in a log, not even at debug level", () => {
    const bytes = Buffer.from(world.logs.join(""));
    expect(canaries.in(bytes)).toEqual([]);
    expect(known({ verdict: '"verdict":"accept"' }).in(bytes)).toEqual(["verdict (raw)"]);
    expect(known({ turned: "unknown-path" }).in(bytes)).toEqual(["turned (raw)"]);
    for (const kind of ["canary-key", "lockout", "decoy"])
      expect(known({ kind: `"kind":"${kind}"` }).in(bytes), kind).toEqual(["kind (raw)"]);
  });
});

function known(texts: Readonly<Record<string, string>>): Canaries {
  const found = createCanaries();
  for (const [name, text] of Object.entries(texts)) found.plant(name, text);
  return found;
}
