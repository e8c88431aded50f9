import { type Caller, createCaller, createServer, createServiceSeal, generateServiceKeyPair } from "@portcullis/bus";
import { memoryBusNetwork } from "@portcullis/bus/memory";
import { composeMail, mailQueue, ServiceError, type ServiceName, services } from "@portcullis/contracts";
import type { Jobs } from "@portcullis/jobs";
import { openEmbeddedJobs } from "@portcullis/jobs/embedded";
import type { Platform } from "@portcullis/platform";
import {
  type Closer,
  createCloser,
  createHealth,
  createIds,
  createLogger,
  createVault,
  fixedKeys,
  systemClock,
  systemRandom,
} from "@portcullis/runtime";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { expect } from "vitest";
import { startMailWorker } from "../src/mails/worker.ts";
import { createSmtpTransport, type SmtpOptions } from "../src/transports/smtp.ts";
import type { MailTransport } from "../src/transports/transport.ts";

export const to = "grace.planted@receiver.example";
export const subject = "Planted subject é";
export const text = "Planted text: https://app.example/verify#tok-1234\n.\nlast line\n";
export const from = { name: "Portcullis", address: "no-reply@portcullis.example" };

type Mail = { to: string; subject: string; text: string } | null;

/** `notify`'s platform with real jobs and a real bus; `identity` composes from `mails`, and fails with what is an error. */
export async function startPlatform() {
  const logged: string[] = [];
  const mails = new Map<string, Mail | ServiceError>();
  const network = memoryBusNetwork();
  const keys = services.map((name) => [name, generateServiceKeyPair()] as const);
  const directory = Object.fromEntries(keys.map(([name, { publicKey }]) => [name, publicKey])) as Record<
    ServiceName,
    string
  >;
  const ids = createIds();
  const log = createLogger({ service: "notify", destination: { write: (line) => void logged.push(line) } });
  const wiring = (self: ServiceName) => {
    const privateKey = keys.find(([name]) => name === self)?.[1].privateKey ?? "";
    return {
      bus: network.connect({ name: self, onError: () => undefined }),
      self,
      seal: createServiceSeal({ self, privateKey, directory }),
      clock: systemClock,
      ids: () => ids.id(),
      claim: async () => true,
      log,
    };
  };
  await createServer(wiring("identity")).serve(composeMail, async ({ mailId }) => {
    const mail = mails.get(mailId);
    if (mail === undefined) throw new ServiceError("not_found");
    if (mail instanceof ServiceError) throw mail;
    return { mail };
  });
  const jobs: Jobs = openEmbeddedJobs({ file: ":memory:", clock: systemClock, pollMs: 20 });
  const closer: Closer = createCloser(() => undefined);
  const caller: Caller = createCaller(wiring("notify"));
  const none = (what: string) => (): never => {
    throw new TypeError(`this service has no ${what}`);
  };
  const platform: Platform = {
    service: "notify",
    instance: "a",
    clock: systemClock,
    ids,
    random: systemRandom,
    log,
    health: createHealth(),
    closer,
    caller,
    server: createServer(wiring("notify")),
    get documents() {
      return none("documents")();
    },
    get state() {
      return none("state")();
    },
    jobs,
    vault: createVault(fixedKeys(systemRandom(32), "notify")),
  };
  return {
    platform,
    logged,
    mails,
    /** The answering end of another service, and the asking one. */
    as: (service: ServiceName) => createServer(wiring(service)),
    callerOf: (service: ServiceName): Caller => createCaller(wiring(service)),
    async enqueue(mailId: string, options: { attempts?: number; jobId?: string } = {}) {
      const { attempts = 5, jobId = mailId } = options;
      await jobs.enqueue(mailQueue.name, { id: jobId, data: { mailId } }, { attempts, backoffMs: 20 });
    },
    /** Lines of the log with this message. */
    said: (message: string) => logged.filter((line) => JSON.parse(line).msg === message),
    /** What was planted in mails is in no line. */
    expectDiscreet() {
      const all = logged.join("");
      for (const secret of ["planted", "Planted", "receiver.example", "tok-1234"]) expect(all).not.toContain(secret);
    },
    async stop() {
      await closer.close();
      await jobs.close();
    },
  };
}

export type TestPlatform = Awaited<ReturnType<typeof startPlatform>>;

/** A worker that sends to this server. */
export async function startWorker(
  { platform }: TestPlatform,
  smtp: Pick<SmtpOptions["server"], "port"> & Partial<SmtpOptions["server"]>,
  options: {
    readonly allowPlain?: boolean;
    readonly silenceMsMax?: number;
    readonly mailMsMax?: number;
    readonly stopMsMax?: number;
  } = {},
) {
  const { allowPlain = false, silenceMsMax = 2_000, ...rest } = options;
  const server = { host: "127.0.0.1", implicitTls: false, credentials: null, ...smtp };
  const transport: MailTransport = createSmtpTransport({ server, allowPlain, silenceMsMax });
  const worker = await startMailWorker({ platform, transport, from, ...rest });
  platform.closer.add("mail worker", () => worker.close());
  return worker;
}

export interface Received {
  readonly from: string;
  readonly to: readonly string[];
  readonly source: string;
}

/** A real SMTP server on loopback. */
export async function startSmtp(options: SMTPServerOptions = {}, port = 0) {
  const received: Received[] = [];
  const commands: string[] = [];
  const smtp = new SMTPServer({
    logger: false,
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    closeTimeout: 100,
    onMailFrom(address, session, callback) {
      commands.push("MAIL FROM");
      return options.onMailFrom ? options.onMailFrom(address, session, callback) : callback();
    },
    onRcptTo(address, session, callback) {
      commands.push("RCPT TO");
      return options.onRcptTo ? options.onRcptTo(address, session, callback) : callback();
    },
    onData(stream, session, callback) {
      commands.push("DATA");
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => void chunks.push(chunk));
      stream.on("end", () => {
        const accept = (error?: Error | null) => {
          const { mailFrom, rcptTo } = session.envelope;
          if (!error)
            received.push({
              from: mailFrom === false || mailFrom === null || mailFrom === undefined ? "" : mailFrom.address,
              to: rcptTo.map(({ address }) => address),
              source: Buffer.concat(chunks).toString("utf8"),
            });
          callback(error);
        };
        if (options.onData) options.onData(stream, session, accept);
        else accept();
      });
    },
    ...(options.disabledCommands === undefined ? {} : { disabledCommands: options.disabledCommands }),
    ...(options.onAuth === undefined ? {} : { onAuth: options.onAuth }),
    ...(options.secure === undefined ? {} : { secure: options.secure }),
    ...(options.allowInsecureAuth === undefined ? {} : { allowInsecureAuth: options.allowInsecureAuth }),
  });
  smtp.on("error", () => undefined);
  await new Promise<void>((resolve) => void smtp.listen(port, "127.0.0.1", resolve));
  const address = smtp.server.address();
  return {
    received,
    /** Of each session, in order. */
    commands,
    port: typeof address === "object" && address !== null ? address.port : 0,
    stop: () => new Promise<void>((resolve) => smtp.close(() => resolve())),
  };
}

export function reply(responseCode: number): Error {
  // As servers do: the answer quotes the address.
  return Object.assign(new Error(`<${to}>: no`), { responseCode });
}

export async function until(condition: () => boolean, msMax = 5_000): Promise<void> {
  const endMs = Date.now() + msMax;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error("it did not happen in time");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
