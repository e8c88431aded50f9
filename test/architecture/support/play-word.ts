/**
 * Goes through the gate `word` of CONTRIBUTING.md, which is in a copy of this repository only, and prints as JSON what came of it: with
 * the right word, with another one, and with the right one offered unasked.
 */
import { createHash, randomBytes } from "node:crypto";
import { connect, PortcullisError } from "@portcullis/client";
import { makeSocket } from "../../e2e/support/socket.ts";
import { startWorld } from "../../e2e/support/world.ts";

const word = randomBytes(16).toString("base64url");
const gates = [{ gate: "key" }, { gate: "word", sha256: createHash("sha256").update(word).digest("hex") }];
const world = await startWorld();

async function enter(mode: "prompted" | "offered", said: string): Promise<readonly string[] | string> {
  const { url, appKey } = await makeSocket(world.owner, { gates, mode, anonymous: true, onFailure: { attempts: 1 } });
  try {
    const asked = { answers: { word: () => said } };
    const unasked = { offer: [{ gate: "word", value: said }] };
    const session = await connect(url, { appKey, timeoutMs: 15_000, ...(mode === "offered" ? unasked : asked) });
    await session.close();
    return session.gates;
  } catch (error) {
    if (error instanceof PortcullisError) return error.code;
    throw error;
  }
}

try {
  const told = {
    right: await enter("prompted", ` ${word} `),
    wrong: await enter("prompted", randomBytes(16).toString("base64url")),
    offered: await enter("offered", word),
    wronglyOffered: await enter("offered", "x"),
    logged: world.logs.some((line) => line.includes(word)),
  };
  process.stdout.write(JSON.stringify(told));
} finally {
  await world.close();
}
