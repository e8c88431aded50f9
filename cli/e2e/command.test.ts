import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importEndToEndIdentity } from "@portcullis/crypto";
import { afterEach, expect, test, vi } from "vitest";
import { e2eCommand } from "./command.ts";

afterEach(() => vi.restoreAllMocks());

async function said(...args: string[]): Promise<string> {
  let text = "";
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    text += chunk;
    return true;
  });
  expect(await e2eCommand(args)).toBe(0);
  return text;
}

test("generate makes another identity each time, with the fingerprint that members pin; show says it again, and not the identity", async () => {
  const [one, other] = [await said("generate", "--json"), await said("generate", "--json")].map((text) =>
    JSON.parse(text),
  );
  expect(one.identity).not.toBe(other.identity);
  expect((await importEndToEndIdentity(one.identity)).fingerprint).toBe(one.fingerprint);
  expect(one.words.split(" ")).toHaveLength(6);
  expect(await said("generate")).toMatch(
    /^identity +pe1\.\S{43}\nfingerprint +\S{22}\nwords .*\n\nThe identity is shown this once/,
  );
  const folder = await mkdtemp(join(tmpdir(), "portcullis-e2e-"));
  const file = join(folder, "identity");
  await writeFile(file, `${one.identity}\n`);
  const shown = await said("show", file);
  expect(shown).toContain(one.fingerprint);
  expect(shown).not.toContain("pe1.");
  await writeFile(file, "pe1.nonsense");
  await expect(e2eCommand(["show", file])).rejects.toThrow("that is no identity");
  await rm(folder, { recursive: true });
});

test.each([["generate", "more"], ["show"], ["show", "a", "b"], ["else"]])(
  "%s %s is a wrong argument",
  async (...args) => {
    await expect(e2eCommand(args)).rejects.toMatchObject({ exitCode: 2 });
  },
);
