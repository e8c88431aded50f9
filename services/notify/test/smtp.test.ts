import { ServiceError } from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  from,
  reply,
  startPlatform,
  startSmtp,
  startWorker,
  subject,
  type TestPlatform,
  text,
  to,
  until,
} from "./harness.ts";

let notify: TestPlatform;
const servers: { stop(): Promise<void> }[] = [];
beforeEach(async () => {
  notify = await startPlatform();
  notify.mails.set("m1", { to, subject, text });
});
afterEach(async () => {
  await notify.stop();
  for (const server of servers.splice(0)) await server.stop();
  notify.expectDiscreet();
});
async function started(...options: Parameters<typeof startSmtp>) {
  const server = await startSmtp(...options);
  servers.push(server);
  return server;
}

describe("mail by SMTP", () => {
  it("arrives as it was composed, at the one address, and asks for no answer", async () => {
    const smtp = await started();
    await startWorker(notify, smtp);
    await notify.enqueue("m1");
    await until(() => smtp.received.length === 1);
    const [mail] = smtp.received;
    expect(mail).toMatchObject({ from: from.address, to: [to] });
    expect(mail?.source).toContain(`\r\nTo: ${to}\r\n`);
    expect(mail?.source).toContain("From: Portcullis <no-reply@portcullis.example>\r\n");
    expect(mail?.source).toContain("Auto-Submitted: auto-generated\r\n");
    expect(mail?.source).toMatch(/\r\nSubject: =\?UTF-8\?/);
    expect(mail?.source).toMatch(/Planted text: https:\/\/app\.example\/verify#tok-1234\r\n\.\r\nlast line/);
    await until(() => notify.said("mail sent").length === 1);
  });

  it("is the same message to the receiving side when its job is repeated, and another one when it is another mail", async () => {
    const smtp = await started();
    await startWorker(notify, smtp);
    notify.mails.set("m2", { to, subject, text });
    await notify.enqueue("m1");
    await notify.enqueue("m1", { jobId: "m1-again" });
    await notify.enqueue("m2");
    await until(() => smtp.received.length === 3);
    const ids = smtp.received.map(({ source }) => /^Message-ID: (.*)$/im.exec(source)?.[1]?.trim());
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^<[0-9a-f]{32}@portcullis\.example>$/);
  });

  it("is tried again after a temporary refusal (4xx)", async () => {
    let refusals = 0;
    const smtp = await started({
      onRcptTo: (_address, _session, callback) => callback(refusals++ < 2 ? reply(451) : null),
    });
    await startWorker(notify, smtp);
    await notify.enqueue("m1");
    await until(() => smtp.received.length === 1);
    expect(notify.said("mail not sent")).toHaveLength(2);
    expect(notify.said("mail not sent")[0]).toContain("EENVELOPE 451");
    expect(notify.said("mail given up")).toHaveLength(0);
  });

  it.each(["onRcptTo", "onData"] as const)(
    "is given up at once when the server refuses it for good (5xx, %s)",
    async (where) => {
      const refuse = (_what: unknown, _session: unknown, callback: (error: Error) => void) => callback(reply(550));
      const smtp = await started({ [where]: refuse });
      await startWorker(notify, smtp);
      await notify.enqueue("m1", { attempts: 5 });
      await until(() => notify.said("mail given up").length === 1);
      expect(notify.said("mail not sent")).toHaveLength(1);
      expect(smtp.commands.filter((command) => command === "RCPT TO")).toHaveLength(1);
    },
  );

  it("is tried again when the server refuses us (5xx on the sender): that is for the operator to mend", async () => {
    let refusals = 0;
    const smtp = await started({
      onMailFrom: (_address, _session, callback) => callback(refusals++ < 1 ? reply(550) : null),
    });
    await startWorker(notify, smtp);
    await notify.enqueue("m1");
    await until(() => smtp.received.length === 1);
  });

  it("waits for a server that is down", async () => {
    const down = await startSmtp();
    await down.stop();
    await startWorker(notify, down);
    await notify.enqueue("m1", { attempts: 8 });
    await until(() => notify.said("mail not sent").length >= 2);
    const up = await started({}, down.port);
    await until(() => up.received.length === 1);
    expect(up.received[0]?.to).toEqual([to]);
  });

  it("is given up after the last attempt, and said so", async () => {
    const down = await startSmtp();
    await down.stop();
    await startWorker(notify, down);
    await notify.enqueue("m1", { attempts: 2 });
    await until(() => notify.said("mail given up").length === 1);
    expect(notify.said("mail not sent")).toHaveLength(2);
    expect(notify.said("mail given up")[0]).toContain('"mailId":"m1"');
  });

  it("does not hang on a server that falls silent", async () => {
    const smtp = await started({ onRcptTo: () => undefined });
    await startWorker(notify, smtp, { silenceMsMax: 500 });
    await notify.enqueue("m1", { attempts: 1 });
    await until(() => notify.said("mail given up").length === 1, 3_000);
    expect(smtp.commands).toEqual(["MAIL FROM", "RCPT TO"]);
    expect(notify.said("mail not sent")[0]).toContain("ETIMEDOUT");
  });

  it("takes no longer than allowed in all", async () => {
    const smtp = await started({ onData: () => undefined });
    await startWorker(notify, smtp, { silenceMsMax: 10_000, mailMsMax: 150 });
    await notify.enqueue("m1", { attempts: 1 });
    await until(() => notify.said("mail given up").length === 1, 2_000);
    expect(notify.said("mail not sent")[0]).toContain("EABORT");
  });

  it("is not sent when there is nothing to send any more", async () => {
    const smtp = await started();
    await startWorker(notify, smtp);
    notify.mails.set("gone", null);
    await notify.enqueue("gone");
    await until(() => notify.said("mail not needed any more").length === 1);
    await notify.enqueue("m1");
    await until(() => smtp.received.length === 1);
    expect(smtp.commands.filter((command) => command === "MAIL FROM")).toHaveLength(1);
    expect(notify.said("mail given up")).toHaveLength(0);
  });

  it("waits for identity when that does not answer", async () => {
    const smtp = await started();
    await startWorker(notify, smtp);
    notify.mails.set("m1", new ServiceError("unavailable"));
    await notify.enqueue("m1", { attempts: 8 });
    await until(() => notify.said("mail not sent").length >= 1);
    notify.mails.set("m1", { to, subject, text });
    await until(() => smtp.received.length === 1);
  });

  it.each([
    `${to}, second.planted@receiver.example`,
    `x:${to};`,
    `<${to}>`,
    `"a b"@receiver.example`,
    "planted\r\nRCPT TO:<b@receiver.example>@receiver.example",
    "planted",
    "",
  ])("goes to no more than one plain address, and never to %j", async (address) => {
    const smtp = await started();
    await startWorker(notify, smtp);
    notify.mails.set("m1", { to: address, subject, text });
    await notify.enqueue("m1");
    await until(() => notify.said("mail given up").length === 1);
    expect(smtp.commands).toEqual([]);
  });

  it("gets no header from its subject, and reads no file for its text", async () => {
    const smtp = await started();
    await startWorker(notify, smtp);
    const evil = "hello\r\nBcc: other@receiver.example\r\n\r\nbody";
    notify.mails.set("m1", { to, subject: evil, text: "file:///etc/passwd" });
    await notify.enqueue("m1");
    await until(() => smtp.received.length === 1);
    expect(smtp.received[0]?.to).toEqual([to]);
    expect(smtp.received[0]?.source).not.toMatch(/^Bcc:/im);
    expect(smtp.received[0]?.source).toMatch(/\r\n\r\nfile:\/\/\/etc\/passwd\r\n$/);
  });
});

describe("a mail server on another machine", () => {
  // Linux takes it for this machine; the rule about loopback does not, so it stands for a remote host here.
  const remote = "0.0.0.0";
  const credentials = { user: "u", password: "planted-password" };

  it("is told nothing where it offers no TLS", async () => {
    const logins: unknown[] = [];
    const smtp = await started({
      allowInsecureAuth: true,
      onAuth: (auth, _session, callback) => {
        logins.push(auth);
        callback(null, { user: "u" });
      },
    });
    await startWorker(notify, { host: remote, port: smtp.port, credentials });
    await notify.enqueue("m1", { attempts: 1 });
    await until(() => notify.said("mail given up").length === 1);
    expect(notify.said("mail not sent")[0]).toContain("ETLS");
    expect([smtp.commands, logins]).toEqual([[], []]);
  });

  it("may be spoken to without TLS where the operator says so", async () => {
    const smtp = await started();
    await startWorker(notify, { host: remote, port: smtp.port }, { allowPlain: true });
    await notify.enqueue("m1");
    await until(() => smtp.received.length === 1);
  });

  it.each([true, false])("is told nothing where its certificate is nobody's (TLS at once: %s)", async (implicitTls) => {
    const smtp = await started({ disabledCommands: [], secure: implicitTls });
    await startWorker(notify, { host: remote, port: smtp.port, implicitTls, credentials });
    await notify.enqueue("m1", { attempts: 1 });
    await until(() => notify.said("mail given up").length === 1);
    expect(smtp.commands).toEqual([]);
  });
});

describe("an orderly stop", () => {
  it("waits for the mail under way and takes no more", async () => {
    let finish = () => {};
    const smtp = await started({
      onData: (_stream, _session, callback) => {
        finish = () => callback(null);
      },
    });
    const worker = await startWorker(notify, smtp);
    await notify.enqueue("m1");
    await until(() => smtp.commands.includes("DATA"));
    let closed = false;
    const closing = worker.close().then(() => {
      closed = true;
    });
    notify.mails.set("m2", { to, subject, text });
    await notify.enqueue("m2");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(closed).toBe(false);
    finish();
    await closing;
    expect(smtp.received).toHaveLength(1);
    expect(notify.said("mail sent")).toHaveLength(1);
  });

  it("cuts off a mail that does not end, and leaves it for the next worker", async () => {
    let stuck = true;
    const smtp = await started({
      onData: (_stream, _session, callback) => {
        if (!stuck) callback(null);
      },
    });
    const worker = await startWorker(notify, smtp, { silenceMsMax: 10_000, stopMsMax: 100 });
    await notify.enqueue("m1");
    await until(() => smtp.commands.includes("DATA"));
    const startMs = Date.now();
    await worker.close();
    expect(Date.now() - startMs).toBeLessThan(1_500);
    stuck = false;
    await startWorker(notify, smtp);
    await until(() => smtp.received.length === 1);
  });
});
