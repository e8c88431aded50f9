import { base64url, parseSealedBody, utf8 } from "@portcullis/protocol";
import { describe, expect, it } from "vitest";
import {
  generateEndToEndIdentity,
  importEndToEndIdentity,
  openBody,
  prekeyPair,
  sealBody,
  secureRandom,
} from "../src/mod.ts";

describe("x", () => {
  it.each(["0020", "647a"] as const)("seals %s", async (suite) => {
    const sender = await importEndToEndIdentity(generateEndToEndIdentity());
    const recipient = await importEndToEndIdentity(generateEndToEndIdentity());
    const pair = await prekeyPair(secureRandom(32), suite);
    const body = await sealBody({
      socket: "demo",
      sid: "s1",
      sender,
      to: { fingerprint: recipient.fingerprint, keyId: secureRandom(8), suite, publicKey: pair.publicKey },
      messageId: secureRandom(16),
      seq: 0,
      reply: null,
      body: utf8("hi"),
    });
    const opened = await openBody({
      socket: "demo",
      sid: "s1",
      recipient: recipient.fingerprint,
      privateKey: pair.privateKey,
      body: parseSealedBody(body),
    });
    expect(opened.body).toEqual(utf8("hi"));
    expect(base64url.encode(opened.sender)).toBe(base64url.encode(sender.publicKey));
  });
});
