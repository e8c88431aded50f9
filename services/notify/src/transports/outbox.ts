import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { asStartupError, type Logger } from "@portcullis/runtime";
import { createTransport } from "nodemailer";
import { MailNotSentError, type MailTransport } from "./transport.ts";

export interface OutboxOptions {
  /** Made where it is missing, for its owner only. */
  readonly folder: string;
  readonly log: Pick<Logger, "warn">;
  /** Default 500. */
  readonly filesMax?: number;
  /** Epoch ms; against the times of files. Default the system's. */
  readonly clock?: () => number;
}

const filePattern = /^[A-Za-z0-9_-]{1,64}\.eml$/;
const partPattern = /^\.[A-Za-z0-9_-]{1,64}\.[0-9a-f]{12}\.part$/;
const abandonedAfterMs = 3_600_000;

/**
 * Where there is no mail server: one file per mail, `<mailId>.eml`, for whoever runs this to open. A repeated mail replaces its
 * own file; a file is there whole or not at all.
 *
 * @throws {StartupError} the folder cannot be made or read
 */
export async function openOutbox({
  folder,
  log,
  filesMax = 500,
  clock = Date.now,
}: OutboxOptions): Promise<MailTransport> {
  await prepare(folder, log);
  const transporter = createTransport({
    streamTransport: true,
    buffer: true,
    newline: "windows",
    disableFileAccess: true,
    disableUrlAccess: true,
  });

  return {
    name: "outbox",
    async send(mailId, message) {
      try {
        const { message: source } = await transporter.sendMail(message);
        if (!Buffer.isBuffer(source)) throw new TypeError("the message is not in one piece");
        await write(folder, mailId, source);
        await prune(folder, filesMax, clock());
      } catch (error) {
        throw new MailNotSentError(codeOf(error) ?? "EOUTBOX", null, false);
      }
    },
    async close() {
      transporter.close();
    },
  };
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

async function write(folder: string, mailId: string, source: Uint8Array): Promise<void> {
  const part = join(folder, `.${mailId}.${randomBytes(6).toString("hex")}.part`);
  try {
    const file = await open(part, "wx", 0o600);
    try {
      await file.writeFile(source);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, join(folder, `${mailId}.eml`));
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** Other replicas may write and prune at the same time: what is gone already is no error. */
async function prune(folder: string, filesMax: number, nowMs: number): Promise<void> {
  const names = await readdir(folder);
  const parts = names.filter((name) => partPattern.test(name));
  for (const { name, atMs } of await aged(folder, parts))
    if (nowMs - atMs > abandonedAfterMs) await rm(join(folder, name), { force: true });
  const mails = names.filter((name) => filePattern.test(name));
  if (mails.length <= filesMax) return;
  const oldest = (await aged(folder, mails)).toSorted((a, b) => a.atMs - b.atMs);
  for (const { name } of oldest.slice(0, -filesMax)) await rm(join(folder, name), { force: true });
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
