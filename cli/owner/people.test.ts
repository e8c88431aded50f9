import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DemoServer, startDemoServer } from "../../deploy/demo/test/demo-server.ts";
import { run } from "../../deploy/demo/test/program.ts";

/** Slow, for it starts many programs: `npm run test:full`. */
const full = process.env.PORTCULLIS_FULL === "1";

const cli = "cli/main.ts";
const password = "a long password of the approver";
const approver = "cat@example.com";
let server: DemoServer;
let folder: string;
let url: string;
let credentials: { readonly email: string; readonly password: string };
beforeAll(async () => {
  server = await startDemoServer();
  ({ folder, url } = server);
  credentials = server.demo.owner;
}, 60_000);
afterAll(() => server?.stop());

/** Somebody with a configuration of their own. */
function at(name: string) {
  return async (args: readonly string[], input: readonly string[] = []) => {
    const env = { XDG_CONFIG_HOME: join(folder, name), PORTCULLIS_API: url, PORTCULLIS_TOKEN: "" };
    const program = run(cli, ["owner", ...args], env);
    for (const line of input) program.type(line);
    program.endInput();
    const exit = await program.exit;
    return { exit, out: program.stdout, err: program.stderr };
  };
}
async function mailTo(email: string, subject: RegExp): Promise<string> {
  let text = "";
  await expect
    .poll(
      async () => {
        const names = (await readdir(join(folder, "outbox"))).filter((file) => file.endsWith(".json"));
        const mails = await Promise.all(names.map((name) => readFile(join(folder, "outbox", name), "utf8")));
        const found = mails
          .map((mail) => JSON.parse(mail) as { to: string; subject: string; text: string })
          .find((mail) => mail.to === email && subject.test(mail.subject));
        text = found?.text ?? "";
        return text;
      },
      { timeout: 10_000 },
    )
    .not.toBe("");
  return text;
}
const tokenIn = (text: string) => /^ +(\S+\.\S{40,})$/m.exec(text)?.[1] ?? "";

describe.runIf(full)("people of a socket, at a terminal", { timeout: 180_000 }, () => {
  const owner = at("owner");
  const cat = at("cat");

  test("are invited, open an account by it where sign-up is closed, and let somebody in by the number that they are told", async () => {
    expect((await owner(["sign-in"], [credentials.email, credentials.password])).exit).toBe(0);
    const confirmation = await mailTo(credentials.email, /Confirm/);
    expect((await owner(["email", "confirm"], [tokenIn(confirmation)])).exit).toBe(0);
    const policy = JSON.stringify({ gates: [{ gate: "key" }, { gate: "approval" }] });
    const made = await owner(["socket", "create", "door", "--policy", "-", "--json"], [policy]);
    const socket = JSON.parse(made.out) as { id: string; url: string };
    await owner(["member", "add", "door", "bob"]);
    const { key } = JSON.parse((await owner(["key", "create", "door", "--json"])).out) as { key: string };

    expect(await owner(["people", "invite", "door", approver])).toMatchObject({
      exit: 0,
      out: expect.stringContaining("A mail is on its way."),
    });
    const token = tokenIn(await mailTo(approver, /You are invited to door/));
    expect(token).toMatch(/^pci_/);
    expect((await at("eve")(["sign-up", "--email", "eve@example.com"], [password, token])).exit).toBe(1);
    expect(await cat(["sign-up", "--email", approver], [password, token])).toMatchObject({ exit: 0, err: "" });
    expect((await cat(["sign-in", "--email", approver], [password])).exit).toBe(0);
    expect((await cat(["email", "confirm"], [tokenIn(await mailTo(approver, /Confirm/))])).exit).toBe(0);
    expect((await cat(["invitation", "accept"], [token])).out).toBe("You are approver of door now.\n");
    expect((await cat(["socket", "list"])).out).toMatch(/door +approver/);
    expect((await owner(["people", "list", "door"])).out).toMatch(/cat@example\.com +approver +active/);

    const connection = run(cli, ["connect"], { PORTCULLIS_URL: `${socket.url}?id=bob`, PORTCULLIS_APP_KEY: key });
    const [, number = ""] = await connection.until(
      /Somebody of the socket has to let you in\. Tell them this number: +(\d{3})/,
    );
    expect((await mailTo(approver, /Somebody waits at door/)).includes(number)).toBe(false);
    const listed = await cat(["approvals", "door"]);
    expect(listed.out).toMatch(/bob +no +key +0 of 1/);
    expect(listed.out).not.toMatch(new RegExp(`\\b${number}\\b`));
    const { approvals } = JSON.parse((await cat(["approvals", "door", "--json"])).out) as {
      approvals: { id: string }[];
    };
    const id = approvals[0]?.id ?? "";
    const wrong = number === "111" ? "222" : "111";
    expect(await cat(["approve", "door", id, wrong])).toMatchObject({
      exit: 1,
      err: expect.stringContaining("is not the number that the waiting screen shows"),
    });
    expect(await cat(["approve", "door", id, number])).toMatchObject({
      exit: 0,
      out: "They are let in, as far as approval goes.\n",
    });
    await connection.until(/You are in as bob, through key and approval/);
    expect((await cat(["approvals", "door"])).out).toBe("Nobody waits.\n");
    expect(await cat(["approve", "door", "no-such-wait", number])).toMatchObject({
      exit: 1,
      err: expect.stringContaining("they wait no more"),
    });

    const turned = run(cli, ["connect"], { PORTCULLIS_URL: `${socket.url}?id=bob`, PORTCULLIS_APP_KEY: key });
    await turned.until(/Tell them this number/);
    const again = JSON.parse((await owner(["approvals", "door", "--json"])).out) as {
      approvals: { id: string }[];
    };
    expect((await owner(["refuse", "door", again.approvals[0]?.id ?? ""])).out).toBe("Refused.\n");
    expect(await turned.exit).toBe(1);

    expect((await cat(["people", "remove", "door", "me", "--yes"])).out).toBe("Removed.\n");
    expect((await cat(["socket", "list"])).out).not.toContain("door");
    expect((await owner(["people", "remove", "door", "nobody", "--yes"])).exit).toBe(1);
  });
});
