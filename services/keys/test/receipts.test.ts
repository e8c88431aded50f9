import { verifyReceipt } from "@portcullis/crypto";
import { type Accepted, base64url, parseBundle } from "@portcullis/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rotateIdentity } from "../src/rotation.ts";
import { enter, letIn } from "./support/session.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
let appKey: string;
beforeEach(async () => {
  world = await startWorld();
  ({ key: appKey } = await world.mint());
});
afterEach(() => world.close());

const idKey = async () => parseBundle((await world.bundle()).bundle).idKey;
async function holds({ receipt, F, sid, member = null, policyHash }: Accepted): Promise<boolean> {
  if (receipt === undefined) throw new Error("no receipt");
  const statement = { finish: F, sid, member, atMs: receipt.at, policyHash };
  return verifyReceipt(await idKey(), statement, base64url.decode(receipt.sig));
}

describe("whoever is let in gets a receipt", () => {
  it("under the key by which they know the server, of now, and of this conversation alone", async () => {
    const [one, two] = [
      await enter(world, { appKey, outcome: letIn(world) }),
      await enter(world, { appKey, outcome: letIn(world, { sealed: false }) }),
    ];
    expect([await holds(one.accepted), await holds(two.accepted)]).toEqual([true, true]);
    expect(one.accepted.receipt?.at).toBe(world.now());
    expect(await holds({ ...one.accepted, F: two.accepted.F })).toBe(false);
  });

  it("also where a session goes on, with the finish of that connection", async () => {
    const { sid, secrets, accepted } = await enter(world, { appKey, outcome: letIn(world) });
    const again = letIn(world);
    const back = await enter(world, {
      appKey: null,
      resumed: { sid, secret: secrets.resume.slice() },
      payload: { resume: { next: 0 } },
      outcome: { ...again, admitted: { ...again.admitted, sid } },
    });
    expect(await holds(back.accepted)).toBe(true);
    expect(back.accepted.F).not.toBe(accepted.F);
  });

  it("and none under a key that they have not verified, when that key changes on the way", async () => {
    const { documents, vault, clock } = world.platform;
    const client = await world.client({ appKey });
    world.identity.onOpen = () => letIn(world);
    await rotateIdentity({ documents, vault, clock }, { overlapMs: 86_400_000 });
    world.advance(2_000);
    const accepted = await client.hear(await world.open(client.route, client.open));
    expect(accepted).toMatchObject({ t: "accepted" });
    expect(accepted).not.toHaveProperty("receipt");
  });

  it("in a record that is as large as without it would be", async () => {
    const { step } = await enter(world, { appKey, outcome: letIn(world) });
    const [frame] = step.frames;
    // 1024 of padded plaintext, and what is around it.
    expect(frame?.data.length).toBeLessThan(1_200);
  });
});
