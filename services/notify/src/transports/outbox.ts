import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { asStartupError, type Logger } from "@portcullis/runtime";
import { createTransport } from "nodemailer";
import { z } from "zod";
import { NotSentError } from "./not-sent.ts";
import type { MailTransport, SmsTransport, VoiceTransport } from "./transport.ts";

export interface OutboxOptions {
  /** Made where it is missing, for its owner only. */
  readonly folder: string;
  readonly log: Pick<Logger, "warn">;
  /** Default 500. */
  readonly messagesMax?: number;
  /** Epoch ms; against the times of files. Default the system's. */
  readonly clock?: () => number;
}

/** What was sent, as the page shows it. */
const entry = z.strictObject({
  id: z.string(),
  atMs: z.number().int(),
  channel: z.enum(["email", "sms", "call"]),
  to: z.string(),
  subject: z.string(),
  text: z.string(),
});
export type OutboxEntry = z.infer<typeof entry>;

export interface Outbox {
  readonly mail: MailTransport;
  readonly sms: SmsTransport;
  readonly voice: VoiceTransport;
  /** Newest first. */
  read(limit: number): Promise<OutboxEntry[]>;
}

const filePattern = /^(?<id>[A-Za-z0-9_-]{1,64})\.(?:eml|json)$/;
const partPattern = /^\.[A-Za-z0-9_-]{1,64}\.[0-9a-f]{12}\.part$/;
const abandonedAfterMs = 3_600_000;

/**
 * Where there is no mail server or no SMS provider: what would have been sent, for whoever runs this to open. `<id>.json` says what the
 * page shows, `<id>.eml` beside it is the mail as a server would have got it. What is repeated replaces its own files; a file is
 * there whole or not at all.
 *
 * @throws {StartupError} the folder cannot be made or read
 */
export async function openOutbox({ folder, log, messagesMax = 500, clock = Date.now }: OutboxOptions): Promise<Outbox> {
  await prepare(folder, log);
  const transporter = createTransport({
    streamTransport: true,
    buffer: true,
    newline: "windows",
    disableFileAccess: true,
    disableUrlAccess: true,
  });

  const keep = async (id: string, files: Readonly<Record<string, Uint8Array>>) => {
    try {
      for (const [ending, source] of Object.entries(files)) await write(folder, id, ending, source);
      await prune(folder, messagesMax, clock());
    } catch (error) {
      throw new NotSentError(codeOf(error) ?? "EOUTBOX", null, false);
    }
  };
  const shown = (one: OutboxEntry) => Buffer.from(`${JSON.stringify(one)}\n`);

  return {
    mail: {
      name: "outbox",
      async send(mailId, mail) {
        const { message: source } = await transporter.sendMail(mail);
        if (!Buffer.isBuffer(source)) throw new TypeError("the message is not in one piece");
        const to = [mail.envelope?.to ?? []].flat().join(", ");
        const { subject = "", text } = mail;
        const one = { id: mailId, atMs: clock(), channel: "email" as const, to, subject, text: `${text ?? ""}` };
        await keep(mailId, { eml: source, json: shown(one) });
      },
      async close() {
        transporter.close();
      },
    },
    sms: {
      name: "outbox",
      send: (id, { to, text }) =>
        keep(id, { json: shown({ id, atMs: clock(), channel: "sms", to, subject: "", text }) }),
    },
    voice: {
      name: "outbox",
      send: (id, { to, lines }) =>
        keep(id, { json: shown({ id, atMs: clock(), channel: "call", to, subject: "", text: lines.join("\n") }) }),
    },
    async read(limit) {
      const names = (await readdir(folder)).filter((name) => filePattern.test(name) && name.endsWith(".json"));
      const newest = (await aged(folder, names)).toSorted((a, b) => b.atMs - a.atMs).slice(0, limit);
      const read = await Promise.all(newest.map(({ name }) => readFile(join(folder, name), "utf8").catch(() => null)));
      return read.flatMap((text) => entryOf(text) ?? []).toSorted((a, b) => b.atMs - a.atMs);
    },
  };
}

/** Null for what went meanwhile, and for a file that is somebody else's. */
function entryOf(text: string | null): OutboxEntry | null {
  try {
    return entry.parse(JSON.parse(text ?? ""));
  } catch {
    return null;
  }
}

async function prepare(folder: string, log: Pick<Logger, "warn">): Promise<void> {
  try {
    const made = await mkdir(folder, { recursive: true, mode: 0o700 });
    await readdir(folder);
    // Not changed: it might be a folder that others need. The files are for their owner only in any case.
    if (made === undefined && ((await stat(folder)).mode & 0o077) !== 0)
      log.warn("others can list the outbox: give OUTBOX_DIR the mode 0700");
  } catch (error) {
    throw asStartupError(error, { folderSetting: "OUTBOX_DIR" }) ?? error;
  }
}

async function write(folder: string, id: string, ending: string, source: Uint8Array): Promise<void> {
  const part = join(folder, `.${id}.${randomBytes(6).toString("hex")}.part`);
  try {
    const file = await open(part, "wx", 0o600);
    try {
      await file.writeFile(source);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, join(folder, `${id}.${ending}`));
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** Other replicas may write and prune at the same time: what is gone already is no error. */
async function prune(folder: string, messagesMax: number, nowMs: number): Promise<void> {
  const names = await readdir(folder);
  const parts = names.filter((name) => partPattern.test(name));
  for (const { name, atMs } of await aged(folder, parts))
    if (nowMs - atMs > abandonedAfterMs) await rm(join(folder, name), { force: true });
  const files = names.filter((name) => filePattern.test(name));
  if (files.length <= messagesMax) return;
  const newest = new Map<string, number>();
  for (const { name, atMs } of await aged(folder, files))
    newest.set(idOf(name), Math.max(atMs, newest.get(idOf(name)) ?? 0));
  const gone = [...newest].toSorted(([, a], [, b]) => b - a).slice(messagesMax);
  for (const [id] of gone)
    for (const ending of ["eml", "json"]) await rm(join(folder, `${id}.${ending}`), { force: true });
}

function idOf(name: string): string {
  return filePattern.exec(name)?.groups?.id ?? "";
}

async function aged(folder: string, names: readonly string[]): Promise<{ name: string; atMs: number }[]> {
  const files = await Promise.all(
    names.map(async (name) => {
      const atMs = await stat(join(folder, name)).then(
        (file) => file.mtimeMs,
        () => null,
      );
      return { name, atMs };
    }),
  );
  return files.flatMap(({ name, atMs }) => (atMs === null ? [] : [{ name, atMs }]));
}

function codeOf(error: unknown): string | null {
  const { code }: NodeJS.ErrnoException = error instanceof Error ? error : new Error();
  return code !== undefined && /^[A-Z0-9_]{1,32}$/.test(code) ? code : null;
}
