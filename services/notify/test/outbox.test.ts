import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig, StartupError } from "@portcullis/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { messageOf } from "../src/mails/message.ts";
import { notifyConfig, run } from "../src/run.ts";
import { openOutbox } from "../src/transports/outbox.ts";
import { from, startPlatform, subject, text, to, until } from "./harness.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "outbox-"));
});
afterEach(() => rm(folder, { recursive: true }));

const log = { warn: () => undefined };
const never = new AbortController().signal;
const message = (mailId: string, words = text) =>
  messageOf({ mailId, mail: { to, subject, text: words }, from, clock: () => 1_795_000_000_000 });
const mode = async (path: string) => (await stat(path)).mode & 0o777;

describe("the outbox", () => {
  it("is where mails go when no mail server is set, for the owner's eyes only", async () => {
    const notify = await startPlatform();
    const outbox = join(folder, "deep", "outbox");
    await run(notify.platform, readConfig(notifyConfig, { OUTBOX_DIR: outbox }));
    notify.mails.set("m1", { to, subject, text });
    await notify.enqueue("m1");
    await until(() => notify.said("mail sent").length === 1);
    expect((await readdir(outbox)).toSorted()).toEqual(["m1.eml", "m1.json"]);
    expect([await mode(outbox), await mode(join(outbox, "m1.eml"))]).toEqual([0o700, 0o600]);
    const source = await readFile(join(outbox, "m1.eml"), "utf8");
    expect(source).toContain(`To: ${to}\r\n`);
    expect(source).toContain("tok-1234");
    await notify.stop();
    notify.expectDiscreet();
  });

  it("holds one file per mail: a repeated one replaces its own, whole", async () => {
    const { mail: outbox } = await openOutbox({ folder, log });
    await outbox.send("m1", message("m1", "first"), never);
    await outbox.send("m1", message("m1", "second"), never);
    await Promise.all(Array.from({ length: 10 }, () => outbox.send("m2", message("m2"), never)));
    expect((await readdir(folder)).toSorted()).toEqual(["m1.eml", "m1.json", "m2.eml", "m2.json"]);
    expect(await readFile(join(folder, "m1.eml"), "utf8")).toContain("second");
  });

  it("keeps the newest, and what is not its own", async () => {
    await writeFile(join(folder, "notes.txt"), "mine");
    await writeFile(join(folder, "my mail.eml"), "mine");
    await writeFile(join(folder, ".m0.0123456789ab.part"), "left by a crash");
    await writeFile(join(folder, ".m1.0123456789ab.part"), "being written");
    await utimes(join(folder, ".m0.0123456789ab.part"), 1_000, 1_000);
    const { mail: outbox } = await openOutbox({ folder, log, messagesMax: 3 });
    for (let n = 1; n <= 5; n += 1) {
      await outbox.send(`m${n}`, message(`m${n}`), never);
      for (const ending of ["eml", "json"]) await utimes(join(folder, `m${n}.${ending}`), n, n);
    }
    await outbox.send("m6", message("m6"), never);
    expect((await readdir(folder)).toSorted()).toEqual(
      [
        ...[".m1.0123456789ab.part", "my mail.eml", "notes.txt"],
        ...["m4", "m5", "m6"].flatMap((id) => [`${id}.eml`, `${id}.json`]),
      ].toSorted(),
    );
  });

  it("changes nothing of a folder that was there, but says that others can look into it", async () => {
    const said: string[] = [];
    await chmod(folder, 0o755);
    await openOutbox({ folder, log: { warn: (line) => void said.push(line) } });
    expect(await mode(folder)).toBe(0o755);
    expect(said).toEqual(["others can list the outbox: give OUTBOX_DIR the mode 0700"]);
  });

  it("that cannot be made ends the start with one line that names the setting", async () => {
    await writeFile(join(folder, "file"), "");
    const opening = openOutbox({ folder: join(folder, "file", "outbox"), log });
    await expect(opening).rejects.toThrow(StartupError);
    await expect(opening).rejects.toThrow(/OUTBOX_DIR/);
  });

  it("that cannot be written fails the job by a code, and the next attempt may succeed", async () => {
    const inner = join(folder, "outbox");
    const { mail: outbox } = await openOutbox({ folder: inner, log });
    await rm(inner, { recursive: true });
    const failed = outbox.send("m1", message("m1"), never);
    await expect(failed).rejects.toMatchObject({ code: "ENOENT", permanent: false });
    await mkdir(inner);
    await outbox.send("m1", message("m1"), never);
  });
});
