import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "@portcullis/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scan } from "../../deploy/demo/authenticator.ts";
import { type DemoServer, startDemoServer } from "../../deploy/demo/test/demo-server.ts";
import { run, runInTerminal } from "../../deploy/demo/test/program.ts";
import type { Demo } from "../../deploy/local/first-run.ts";
import { signIn } from "../../deploy/local/owner.ts";
import { createApi } from "./api.ts";
import { ownerCommands } from "./commands/all.ts";
import { record, table } from "./show.ts";

const cli = "cli/main.ts";
/** Slow, for each command is a program that starts: `npm run test:full`. */
const full = process.env.PORTCULLIS_FULL === "1";

describe.runIf(full)("portcullis owner", { timeout: 60_000 }, () => {
  let server: DemoServer;
  let folder: string;
  let demo: Demo;
  let url: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    server = await startDemoServer();
    ({ folder, demo, url } = server);
    env = { XDG_CONFIG_HOME: join(folder, "config"), PORTCULLIS_API: url, PORTCULLIS_TOKEN: "" };
  }, 60_000);
  afterAll(() => server?.stop());

  /** Runs to its end. */
  async function owner(args: readonly string[], input: readonly string[] = [], more: Record<string, string> = {}) {
    const program = run(cli, ["owner", ...args], { ...env, ...more });
    for (const line of input) program.type(line);
    program.endInput();
    const exit = await program.exit;
    return { exit, out: program.stdout, err: program.stderr };
  }
  async function json<T>(...args: readonly string[]): Promise<T> {
    const { exit, out, err } = await owner([...args, "--json"]);
    expect({ exit, err }).toEqual({ exit: 0, err: "" });
    return JSON.parse(out) as T;
  }
  /** As `sign-in` has left it. */
  async function signedInApi() {
    const { cookie } = JSON.parse(await readFile(join(folder, "config", "portcullis", "owner.json"), "utf8"));
    return createApi(url, { cookie });
  }
  /** Without starting a program, which takes a second. */
  async function inProcess(
    name: string,
    args: readonly string[],
    { options = {}, typed = null }: { options?: Record<string, string>; typed?: string | null } = {},
  ) {
    const command = ownerCommands.find(({ usage }) => usage.startsWith(`${name} `));
    if (command === undefined) throw new Error(`there is no ${name}`);
    const ask = async () => typed ?? Promise.reject(new Error("asks for nothing"));
    const answer = await command.run(await signedInApi(), { args, options }, ask);
    return { answer, shown: command.show(answer) };
  }
  async function tokenInMail(): Promise<string> {
    const [name = ""] = (await readdir(join(folder, "outbox"))).filter((file) => file.endsWith(".json"));
    const { text } = JSON.parse(await readFile(join(folder, "outbox", name), "utf8")) as { text: string };
    return /^ +(\S{40,})$/m.exec(text)?.[1] ?? "";
  }
  const credentials = () => [demo.owner.email, demo.owner.password];

  test("is nobody before sign-in, and says what to do", async () => {
    const { exit, err } = await owner(["socket", "list"]);
    expect([exit, err]).toEqual([1, "owner: you are not signed in: portcullis owner sign-in\n"]);
    expect(await owner(["sign-in"], [demo.owner.email, "wrong"])).toMatchObject({
      exit: 1,
      err: "owner: e-mail, password or code are not right\n",
    });
  });

  test("signs in, and keeps what it got where nobody else can read it", async () => {
    expect(await owner(["sign-in"], credentials())).toMatchObject({
      exit: 0,
      out: expect.stringContaining(demo.owner.email),
    });
    const file = join(folder, "config", "portcullis", "owner.json");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, "utf8")).not.toContain(demo.owner.password);
    expect((await owner(["whoami"])).out).toContain(demo.owner.email);
  });

  test("does the whole of an owner's work: a socket, its key, a member, who is there, and out again", async () => {
    const policy = join(folder, "policy.json");
    await writeFile(
      policy,
      JSON.stringify({ gates: [{ gate: "key" }, { gate: "otp" }], encryption: { session: "required" } }),
    );
    const socket = await json<{ id: string; url: string }>("socket", "create", "chat", "--policy", policy);
    const { key, appKey } = await json<{ key: string; appKey: { keyId: string } }>(
      "key",
      "create",
      "chat",
      "--label",
      "laptop",
    );
    await json("member", "add", "chat", "bob", "--email", "bob@example.com");
    const { uri } = await json<{ uri: string }>("member", "authenticator", "chat", "bob");
    await json("member", "answer-secret", "chat", "bob");
    expect(await json("member", "answer-rule", "chat", "bob", "--rule", "3 -1  2+4 =Tea")).toEqual({
      rule: "3 -1 2+4 =tea",
    });
    const phone = scan(uri);
    const session = await connect(`${socket.url}?id=bob`, {
      appKey: key,
      answers: { otp: () => phone.code(Date.now()) },
    });
    expect(session.sealed).toBe(true);
    expect((await owner(["session", "list", "chat"])).out).toMatch(new RegExp(`${session.sid} +bob +member +edge-1`));
    expect((await owner(["member", "list", "chat"])).out).toMatch(/bob +bob@example.com +- +yes +yes +yes/);
    expect((await owner(["session", "kick", "chat", session.sid])).exit).toBe(0);
    expect(await session.closed).toMatchObject({ what: "kicked" });
    expect((await owner(["session", "list", socket.id])).out).toBe("Nobody is there.\n");

    expect(await owner(["key", "revoke", "chat", appKey.keyId])).toMatchObject({
      exit: 2,
      err: `owner: this would revoke key ${appKey.keyId}: say --yes\n`,
    });
    expect((await owner(["key", "revoke", "chat", appKey.keyId, "--yes"])).out).toBe("Revoked; 0 sessions ended.\n");
    const path = await json<{ url: string }>("socket", "path", "chat", "--yes");
    expect(path.url).not.toBe(socket.url);
    expect((await owner(["socket", "delete", "chat", "--yes"])).out).toBe("Deleted.\n");
    expect(await owner(["socket", "show", "chat"])).toMatchObject({
      exit: 1,
      err: expect.stringContaining("no socket of that name"),
    });
  });

  test("asks whether you are sure, at a terminal, and hides a password that is typed there", async () => {
    await json("socket", "create", "spare");
    const asks = runInTerminal(cli, ["owner", "socket", "delete", "spare"], env);
    await asks.until(/This will delete socket spare, its keys and members\. Type yes: /);
    asks.type("no");
    expect(await asks.exit).toBe(1);
    expect((await owner(["socket", "list"])).out).toContain("spare");

    const hides = runInTerminal(cli, ["owner", "sign-in", "--email", demo.owner.email], env);
    await hides.until(/Password: /);
    hides.type("a-secret-password");
    expect(await hides.exit).toBe(1);
    expect(hides.stdout).not.toContain("a-secret-password");
    expect(hides.stdout).toContain("•");
  });

  test("makes a token for programs once the address is confirmed, and takes the password for it", async () => {
    const make = (password: string) => owner(["token", "create", "ci", "--json"], [password]);
    expect(await make(demo.owner.password)).toMatchObject({
      exit: 1,
      err: expect.stringContaining("must be confirmed"),
    });
    expect((await owner(["email", "confirm"], [await tokenInMail()])).out).toBe("Confirmed.\n");
    expect(await make("wrong")).toMatchObject({ exit: 1, err: expect.stringContaining("is not right"), out: "" });
    const { out } = await make(demo.owner.password);
    const { token, secret } = JSON.parse(out) as { token: { id: string }; secret: string };
    const asProgram = { PORTCULLIS_TOKEN: secret, XDG_CONFIG_HOME: join(folder, "nobody") };
    expect((await owner(["socket", "list"], [], asProgram)).exit).toBe(0);
    expect((await owner(["token", "list"])).out).toContain(token.id);
    expect((await owner(["token", "revoke", token.id, "--yes"])).exit).toBe(0);
    expect((await owner(["socket", "list"], [], asProgram)).exit).toBe(1);
  });

  test("changes one contact of a member and leaves the other", async () => {
    await json("socket", "create", "contacts");
    await json("member", "add", "contacts", "cy", "--email", "cy@example.com", "--phone", "+49301234567");
    const contactsOf = async (...args: string[]) =>
      (await json<{ contacts: object }>("member", "contact", "contacts", "cy", ...args)).contacts;
    expect(await contactsOf("--phone", "+49301234568")).toEqual({ email: "cy@example.com", phone: "+49301234568" });
    expect(await contactsOf("--email", "")).toEqual({ email: null, phone: "+49301234568" });
    expect((await owner(["member", "list", "contacts"])).out).toMatch(/cy +- +\+49301234568/);
  });

  test("has the webhooks of a socket: their secrets are shown when they are made, and by nothing after", async () => {
    const api = await signedInApi();
    const policyOf = (...gates: object[]) => ({ gates: [{ gate: "key" }, ...gates] });
    const socket = await api.ask("POST", "/v1/sockets", { body: { label: "hooks", policy: policyOf() } });
    const id = String(socket.id);
    const made = await owner(["webhook", "create", "hooks", "https://hooks.example.com/a", "--purpose", "faces"]);
    const [, hook = ""] = /^id +(hook_\S+)$/m.exec(made.out) ?? [];
    const [, first = ""] = /^secret +(whsec_\S+)$/m.exec(made.out) ?? [];
    expect(made.out).toMatch(/^url +https:\/\/hooks\.example\.com\/a$[\s\S]+^purpose +faces$[\s\S]+shown this once/m);

    const renewed = await inProcess("webhook secret", [id, hook]);
    const { secret } = renewed.answer as { secret: string };
    expect(secret).toMatch(/^whsec_/);
    expect(secret).not.toBe(first);
    for (const text of ["previousUntil  20", `  ${secret}\n`, "shown this once"]) expect(renewed.shown).toContain(text);

    const listed = await inProcess("webhook list", [id]);
    expect(listed.shown).toMatch(new RegExp(`^${hook} +https://hooks\\.example\\.com/a +faces +20`, "m"));
    for (const text of [listed.shown, JSON.stringify(listed.answer)]) {
      expect(text).not.toContain(first);
      expect(text).not.toContain(secret);
    }

    const speaks = policyOf({ gate: "external", webhook: hook });
    const { version } = await api.ask("PATCH", `/v1/sockets/${id}`, { body: { version: 1, policy: speaks } });
    await expect(inProcess("webhook remove", [id, hook])).rejects.toThrow("the socket's policy speaks to it");
    await api.ask("PATCH", `/v1/sockets/${id}`, { body: { version, policy: policyOf() } });
    expect((await owner(["webhook", "remove", "hooks", hook, "--yes"])).out).toBe("Removed.\n");
    expect((await inProcess("webhook list", [id])).shown).toContain("There is no webhook yet");
  });

  test("plants a key and a member, says how it is told of them, and lists what it had to tell", async () => {
    const api = await signedInApi();
    const policy = { gates: [{ gate: "key" }], anonymous: true };
    const socket = await api.ask("POST", "/v1/sockets", { body: { label: "planted", policy } });
    const made = await owner(["key", "create", "planted", "--canary", "--label", "attic"]);
    expect(made.out).toContain("Plant it where nobody should find it.");
    const [, appKey = ""] = /^key +(pc1\S+)$/m.exec(made.out) ?? [];
    expect((await inProcess("key list", [String(socket.id)])).shown).toMatch(/attic +member .* yes$/m);
    const member = await inProcess("member add", [String(socket.id), "mallory"], { options: { canary: "yes" } });
    expect(member.answer).toMatchObject({ name: "mallory", canary: true });

    expect((await owner(["alerts", "planted"])).out).toBe("There was no alert in the last 90 days.\n");
    await expect(connect(String(socket.url), { appKey })).rejects.toThrow();
    await expect
      .poll(async () => (await owner(["alerts", "planted"])).out, { timeout: 20_000 })
      .toMatch(/canary-key +attic/);

    expect((await owner(["alerts", "set", "planted"])).out).toMatch(/^mail +yes\nwebhook +none\nkinds +all$/m);
    const changed = await inProcess("alerts set", [String(socket.id)], { options: { mail: "no", kinds: "decoy" } });
    expect(changed.answer).toEqual({ mail: false, webhook: null, kinds: ["decoy"] });
    expect(await owner(["alerts", "set", "planted", "--mail", "perhaps"])).toMatchObject({ exit: 2 });
  });

  test("makes a key for the owner's program, and asks a member who is there again", async () => {
    const api = await signedInApi();
    const policy = {
      gates: [{ gate: "key" }, { gate: "otp" }],
      messaging: { mode: "consumer" },
      during: [{ on: "demand", gate: "otp" }],
    };
    const socket = await api.ask("POST", "/v1/sockets", { body: { label: "program", policy } });
    const id = String(socket.id);
    const made = await inProcess("key create", [id], { options: { role: "consumer" } });
    expect(made.answer).toMatchObject({ appKey: { role: "consumer" } });
    const { answer } = await inProcess("key create", [id]);
    const { key, appKey } = answer as { key: string; appKey: object };
    expect(appKey).toMatchObject({ role: "member" });
    expect((await inProcess("key list", [id])).shown).toMatch(
      / member +20[\s\S]+ consumer +20| consumer +20[\s\S]+ member +20/,
    );

    await api.ask("POST", `/v1/sockets/${id}/members`, { body: { name: "bob" } });
    const { uri } = await api.ask("POST", `/v1/sockets/${id}/members/bob/authenticator`);
    const phone = scan(String(uri));
    const codes = [phone.code(Date.now()), phone.code(Date.now() + 30_000)];
    const states: string[] = [];
    const session = await connect(`${socket.url}?id=bob`, {
      appKey: key,
      answers: { otp: () => codes.shift() ?? null },
      onState: ({ is }) => void states.push(is),
    });
    await expect(inProcess("session step-up", [id, session.sid], { options: { rule: "7" } })).rejects.toThrow(
      "rule is no rule of the session's policy that asks on demand",
    );
    expect((await inProcess("session step-up", [id, session.sid])).shown).toBe("Asked.");
    await expect.poll(() => states).toEqual(["step-up", "stepped-up"]);
    await session.close();
  });

  test("gives a member a passphrase and takes it away, as everything else that they have", async () => {
    const api = await signedInApi();
    const policy = { gates: [{ gate: "key" }, { gate: "ticket" }] };
    const socket = await api.ask("POST", "/v1/sockets", { body: { label: "lost", policy } });
    const [id, passphrase] = [String(socket.id), "a passphrase of bob's"];
    await api.ask("POST", `/v1/sockets/${id}/members`, { body: { name: "bob" } });
    const page = `${String(socket.url).replace(/^ws/, "http")}`;
    const ticket = () =>
      fetch(page, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id: "bob", passphrase }),
      });
    expect((await ticket()).status).toBe(401);
    const { shown } = await inProcess("member passphrase", [id, "bob"], { typed: passphrase });
    expect(shown).not.toContain(passphrase);
    expect((await ticket()).status).toBe(200);
    await inProcess("member passphrase-remove", [id, "bob"]);
    expect((await ticket()).status).toBe(401);

    for (const kind of ["authenticator", "answer-secret", "answer-rule"])
      await inProcess(`member ${kind}`, [id, "bob"]);
    expect((await inProcess("member list", [id])).shown).toMatch(/^bob +- +- +yes +yes +yes/m);
    for (const kind of ["authenticator", "answer-secret", "answer-rule"])
      expect((await inProcess(`member ${kind}-remove`, [id, "bob"])).shown).toBe("Removed.");
    expect((await inProcess("member list", [id])).shown).toMatch(/^bob +- +- +no +no +no/m);
  });

  test("names the server by the words that connect shows", async () => {
    const { words } = await json<{ words: string }>("server");
    const env = { PORTCULLIS_URL: demo.socket.url, PORTCULLIS_APP_KEY: demo.socket.appKey };
    const program = run(cli, ["connect"], env);
    program.endInput();
    await program.exit;
    expect(program.stdout).toContain(words);
  });

  test("says what of a policy is weak in a line each", async () => {
    const policy = JSON.stringify({ gates: [{ gate: "key" }, { gate: "sms" }] });
    await owner(["socket", "create", "weak", "--policy", "-"], [policy]);
    expect((await owner(["socket", "show", "weak"])).out).toMatch(
      /^warning +gates\.1 +text messages and calls can be read/m,
    );
  });

  test("shows a QR code that a phone can scan", async () => {
    await json("member", "add", "spare", "ann");
    const { out } = await owner(["member", "authenticator", "spare", "ann"]);
    expect(out).toContain("█");
    expect(out).toMatch(/^otpauth:\/\/totp\/\S+$/m);
  });

  test("shows what others have written as what it is", () => {
    expect(table([{ name: "bob\u001b[2J\nann" }], ["name"], "")).toBe("name\nbob␛[2J␊ann");
    expect(record({ policy: { x: "\u202e" }, none: null, empty: [], no: false })).toBe(
      'policy  {"x":"<U+202E>"}\nempty   -\nno      no',
    );
  });

  test.each([
    [["socket", "create", "x", "--policy", "-"], ["{"], 2, "what came in is not JSON"],
    [
      ["socket", "create", "x", "--policy", "-"],
      ['{"gates":[{"gate":"no"}]}'],
      1,
      "policy.gates.0.gate allowed: path, key",
    ],
    [["socket", "create", "x", "--policy", "/nowhere"], [], 2, "/nowhere cannot be read"],
    [["socket", "create"], [], 2, "it is: portcullis owner socket create LABEL"],
    [["socket", "list", "--policy", "x"], [], 2, "socket list takes no --policy"],
    [
      ["member", "remove", "demo", "nobody", "--yes"],
      [],
      1,
      "no member of that name: portcullis owner member list SOCKET",
    ],
    [
      ["webhook", "secret", "demo", "hook_nothing"],
      [],
      1,
      "no webhook of that name: portcullis owner webhook list SOCKET",
    ],
    [["webhook", "create", "demo", "http://hooks.example.com"], [], 1, "url "],
    [["token", "revoke", "nothing", "--yes"], [], 1, "no token of that name: portcullis owner token list"],
    [["socket", "frob"], [], 2, "there is no command of that name"],
    [["--frob"], [], 2, "See portcullis owner --help"],
    [["socket", "list", "--url", "nowhere"], [], 2, "--url must be where the API is"],
    [["socket", "list", "--url", "https://elsewhere.example"], [], 1, "you are signed in at"],
  ])("says what is wrong with %j", async (args, input, exit, line) => {
    expect(await owner(args, input)).toMatchObject({ exit, err: expect.stringContaining(line), out: "" });
  });

  test("takes an API token instead, and says when nobody answers", async () => {
    const wrong = await owner(["socket", "list"], [], { PORTCULLIS_TOKEN: "pct_wrong" });
    expect(wrong).toMatchObject({ exit: 1, err: expect.stringContaining("not signed in") });
    const nobody = await owner(["socket", "list"], [], {
      PORTCULLIS_TOKEN: "pct_x",
      PORTCULLIS_API: "http://127.0.0.1:1",
    });
    expect(nobody).toMatchObject({ exit: 3, err: expect.stringContaining("nothing answers at http://127.0.0.1:1") });
  });

  test("signs up the first owner with the bootstrap token that npm start prints, and nobody else", async () => {
    const data = join(folder, "empty");
    const server = run("deploy/local/start.ts", [], { DATA_DIR: data, PORT: "0", DEMO: "false" });
    const [, token = "", at = ""] = await server.until(/bootstrap token: (\S+)\n.*owner sign-up --url (\S+)/);
    const first = { PORTCULLIS_API: at, XDG_CONFIG_HOME: join(folder, "first") };
    const password = "a long password of the first owner";
    const signUp = (bootstrap: string) =>
      owner(["sign-up", "--email", "first@example.com"], [password, bootstrap], first);
    expect(await signUp("pcb_wrong-token-of-twenty-four")).toMatchObject({
      exit: 1,
      err: expect.stringContaining("sign-up is closed"),
    });
    expect(await signUp(token)).toMatchObject({ exit: 0, out: expect.stringContaining("owner sign-in") });
    expect((await owner(["sign-in", "--email", "first@example.com"], [password], first)).exit).toBe(0);
  });

  test("takes a code of the authenticator, and a recovery code where the phone is lost", async () => {
    const { email, password } = demo.owner;
    const api = await signIn(url, demo.owner);
    const { uri } = await api.post<{ uri: string }>("/v1/account/authenticator", { password });
    const phone = scan(uri);
    const confirm = { code: phone.code(Date.now()) };
    const { recoveryCodes } = await api.post<{ recoveryCodes: string[] }>("/v1/account/authenticator/confirm", confirm);
    const enter = async (code: string) => (await owner(["sign-in", "--email", email], [password, code])).exit;
    expect(await enter(confirm.code)).toBe(1);
    // One step ahead of this clock is let pass, so nobody has to wait for it here.
    expect(await enter(phone.code(phone.nextStepMs(Date.now())))).toBe(0);
    expect(await enter("aaaa-bbbb-cccc-dddd")).toBe(1);
    expect(await enter(recoveryCodes[0] ?? "")).toBe(0);
  });

  test("helps, and signs out", async () => {
    const { exit, out } = await owner(["--help"]);
    expect(exit).toBe(0);
    for (const line of ["sign-in", "socket create LABEL", "session kick SOCKET SESSION", "--json"])
      expect(out).toContain(line);
    // An option of two commands means what each of them says.
    expect(out).toMatch(/--role ROLE +ticket: member, owner or consumer/);
    expect(out).toMatch(/--role ROLE +people invite: viewer/);
    const own = (await owner(["socket", "create", "--help"])).out;
    expect(own).toContain("portcullis owner socket create LABEL");
    expect(own).toContain("--policy FILE");
    expect(own).not.toContain("--phone");
    expect((await owner([])).exit).toBe(2);
    expect((await owner(["sign-out"])).out).toBe("Signed out.\n");
    expect((await owner(["whoami"])).exit).toBe(1);
    expect((await owner(["sign-out"])).exit).toBe(1);
  });
});
