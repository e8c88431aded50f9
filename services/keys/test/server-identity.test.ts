import { serverIdentity } from "@portcullis/contracts";
import { fingerprint, parseBundle } from "@portcullis/crypto";
import { openEmbeddedDocuments } from "@portcullis/documents/embedded";
import { createVault, fixedKeys, StartupError, systemRandom } from "@portcullis/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { openIdentity } from "../src/identity.ts";
import { startWorld, type World } from "./support/world.ts";

const clock = () => 1_795_000_000_000;
const vault = createVault(fixedKeys(systemRandom(32), "keys"));
let documents: ReturnType<typeof openEmbeddedDocuments>;
beforeEach(() => {
  documents = openEmbeddedDocuments({ file: ":memory:", clock });
});
afterEach(() => documents.close());

const log = { error: () => undefined };
const open = async (with_ = vault) => (await (await openIdentity(documents, with_, clock, log)).current()).identity;
async function stored() {
  const schema = z.strictObject({ seedSealed: z.string(), createdAtMs: z.number() });
  const collection = await documents.collection({ name: "keys_identity", schema, indexes: [] });
  const found = await collection.get("current");
  if (found === null) throw new Error("nothing stored");
  return { collection, found };
}

describe("the server's identity", () => {
  it("is one, however many replicas start at once on an empty store, and stays it", async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => open()));
    expect(new Set(all.map((each) => each.fingerprint)).size).toBe(1);
    expect((await open()).fingerprint).toBe(all[0]?.fingerprint);
    expect((await stored()).found.version).toBe(1);
  });

  it("is what all replicas sign their bundles with and what an app key pins", async () => {
    const world: World = await startWorld({ replicas: 3 });
    const bundles = await Promise.all([world.bundle(), world.bundle(), world.bundle()]);
    expect(new Set(bundles.map(({ replica }) => replica))).toEqual(new Set(["keys", "keys-2", "keys-3"]));
    const prints = await Promise.all(bundles.map(({ bundle }) => fingerprint(parseBundle(bundle).idKey)));
    const { key } = await world.mint();
    const said = await world.asIdentity.call(serverIdentity, {});
    expect(new Set([...prints, key.split(".")[3], said.fingerprint]).size).toBe(1);
    await world.close();
  });

  it.each(["damaged", "of another master key"])("that is %s is an error, and is not replaced", async (how) => {
    const first = await open();
    const { collection, found } = await stored();
    const { seedSealed } = found.body;
    const other = createVault(fixedKeys(systemRandom(32), "keys"));
    if (how === "damaged") {
      const middle = seedSealed[60] === "A" ? "B" : "A";
      const altered = `${seedSealed.slice(0, 60)}${middle}${seedSealed.slice(61)}`;
      await collection.replace("current", found.version, { ...found.body, seedSealed: altered });
    }
    const before = await stored();
    const opening = open(how === "damaged" ? vault : other);
    await expect(opening).rejects.toThrow(StartupError);
    await expect(opening).rejects.toThrow(/does not open/);
    const after = await stored();
    expect(after.found).toEqual(before.found);
    // And with what belongs to it, it is the old one.
    await collection.replace("current", after.found.version, found.body);
    expect((await open()).fingerprint).toBe(first.fingerprint);
  });
});
