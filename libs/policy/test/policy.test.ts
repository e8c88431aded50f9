// biome-ignore-all lint/suspicious/noThenProperty: `onFailure.then` is a word of the document, never a function
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  adviceOf,
  gateNames,
  leavesOf,
  parsePolicy,
  policyDocumentSchema,
  policySchema,
  requiresKey,
  webhooksOf,
} from "../src/mod.ts";
import { policyOf } from "./arbitraries.ts";

const mail = { gate: "email" };
const otp = { gate: "otp" };
const nested = (depth: number): unknown => {
  let item: unknown = otp;
  for (let level = 1; level < depth; level += 1) item = { anyOf: [item] };
  return item;
};
const many = (count: number) => ({ allOf: Array.from({ length: count }, () => otp) });

const longerThanAll = "must not be longer than deadlines.handshake, which ends the handshake before";

const allGates = `allowed: ${gateNames.join(", ")}`;

describe("a policy that is written shortly", () => {
  it("gets every default, in milliseconds, and survives storage", () => {
    const policy = policyOf({ gates: [{ gate: "key" }, { anyOf: [otp, { gate: "otp", of: "socket" }] }] });
    expect(policy).toEqual({
      before: { ticket: "optional" },
      gates: [
        { gate: "key" },
        {
          anyOf: [
            { gate: "otp", of: "member" },
            { gate: "otp", of: "socket" },
          ],
        },
      ],
      mode: "prompted",
      onFailure: {
        attempts: 3,
        then: "deny",
        free: 5,
        work: 5,
        delay: { firstMs: 30_000, maxMs: 3_600_000 },
        lockout: null,
        trusted: [],
      },
      deadlines: { answerMs: 30_000, waitMs: 120_000, handshakeMs: 120_000 },
      sessionMs: 43_200_000,
      messaging: { mode: "broadcast", maxBytes: 65_536, perSecond: 50, consumerPerSecond: 1000, history: null },
      resumeMs: 60_000,
      origins: [],
      anonymous: false,
      encryption: { session: "none", endToEnd: "off", suite: "any" },
      during: [],
    });
    expect(policySchema.parse(JSON.parse(JSON.stringify(policy)))).toEqual(policy);
  });

  it("gives a handshake that waits for somebody the time that this takes", () => {
    expect(policyOf({ gates: [otp, { anyOf: [{ gate: "sms" }] }] }).deadlines).toEqual({
      answerMs: 30_000,
      waitMs: 600_000,
      handshakeMs: 900_000,
    });
    expect(policyOf({ gates: [mail], deadlines: { handshake: "40s" } }).deadlines.waitMs).toBe(40_000);
    expect(policyOf({ gates: [{ gate: "question", kind: "rule" }] }).gates).toEqual([
      { gate: "question", kind: "rule" },
    ]);
    expect(policyOf({ gates: [mail, { gate: "question" }] }).gates).toEqual([
      { gate: "email", by: "code" },
      { gate: "question", kind: "excerpt" },
    ]);
  });

  it("names the pages on which a passkey may be used: those of its relying party unless it says", () => {
    const passkey = { gate: "passkey", relyingParty: "example.com" };
    const itemOf = (item: object) => policyOf({ gates: [item] }).gates[0];
    expect(itemOf(passkey)).toEqual({ ...passkey, origins: ["https://example.com"] });
    const origins = ["https://app.example.com:8443", "https://example.com"];
    expect(itemOf({ ...passkey, origins })).toEqual({ ...passkey, origins });
    const numbered = { ...passkey, relyingParty: "7.example.com", origins: ["https://7.example.com"] };
    expect(itemOf(numbered)).toEqual(numbered);
    const local = { gate: "passkey", relyingParty: "localhost", origins: ["http://localhost:3000"] };
    expect(itemOf(local)).toEqual(local);
    for (const wrong of [
      "https://evil.example",
      "https://notexample.com",
      "http://example.com",
      "https://example.com/",
    ])
      expect(parsePolicy({ gates: [{ ...passkey, origins: [wrong] }] }).ok, wrong).toBe(false);
    for (const wrong of [
      "Example.com",
      "https://example.com",
      "example.com:443",
      "",
      "exa mple",
      ...["127.0.0.1", "203.0.113.7", "127.1", "2130706433", "example.0x7f", "[::1]", "::1"],
    ])
      expect(parsePolicy({ gates: [{ gate: "passkey", relyingParty: wrong }] }).ok, wrong).toBe(false);
  });

  it("names an identity provider, its keys below it unless it says, and algorithms of public keys alone", () => {
    const jwt = { gate: "jwt", issuer: "https://login.example.com/", audience: "chat" };
    expect(policyOf({ gates: [jwt] }).gates).toEqual([
      {
        ...jwt,
        jwks: "https://login.example.com/.well-known/jwks.json",
        algorithms: ["RS256", "ES256", "EdDSA"],
        member: "sub",
        maxAgeMs: 600_000,
        once: true,
      },
    ]);
    for (const wrong of [
      { algorithms: ["none"] },
      { algorithms: ["HS256"] },
      { algorithms: [] },
      { issuer: "https://user@login.example.com" },
      { jwks: "file:///etc/passwd" },
      { maxAge: "25h" },
      { member: "a b" },
    ])
      expect(parsePolicy({ gates: [{ ...jwt, ...wrong }] }).ok, JSON.stringify(wrong)).toBe(false);
  });

  it("is said to prove no human where all that it asks for is work", () => {
    const advice = adviceOf(policyOf({ gates: [{ gate: "key" }, { gate: "captcha" }] }));
    expect(advice.map(({ code, path }) => `${code} ${path}`)).toContain("captcha-no-human gates.1");
    // Work is no second thing to be in possession of.
    const readers = adviceOf(policyOf({ gates: [mail, { gate: "captcha" }] }));
    expect(readers.some(({ message }) => message.startsWith("whoever reads the member's messages"))).toBe(true);
  });

  it("names the webhooks that its gates speak to, also of what is asked again, by their place in the document", () => {
    const speaks = (webhook: string) => ({ gate: "external", webhook });
    const policy = policyOf({
      gates: [
        { gate: "key" },
        { anyOf: [otp, { gate: "question", kind: "custom", webhook: "h2" }] },
        { when: { risk: "high" }, then: [speaks("h1")], else: [otp] },
      ],
      during: [
        { every: "15m", gate: "otp" },
        { on: "demand", gates: [{ allOf: [otp, speaks("h3")] }] },
      ],
    });
    expect(webhooksOf(policy)).toEqual([
      { path: "gates.1.anyOf.1.webhook", webhook: "h2" },
      { path: "gates.2.then.0.webhook", webhook: "h1" },
      { path: "during.1.gates.0.allOf.1.webhook", webhook: "h3" },
    ]);
    expect(policy.deadlines.waitMs).toBe(600_000);
  });

  it("comes with advice where it is weaker than it may look, and without where it is not", () => {
    const about = (...gates: object[]) =>
      adviceOf(policyOf({ gates, encryption: { session: "required", suite: "post-quantum" } })).map(
        ({ code, path }) => `${code} ${path}`,
      );
    expect(about({ gate: "key" }, otp)).toEqual([]);
    expect(about(otp)).toEqual(["discoverable gates", "relay gates"]);
    expect(
      about({ gate: "key" }, { anyOf: [otp, { gate: "sms" }] }, mail, { gate: "question" }, { gate: "approval" }),
    ).toEqual([
      "email-no-authenticator gates.2",
      "sms-restricted gates.1.1",
      "question-no-person gates.3",
      "approval-no-proof gates.4",
    ]);
    const letsReadersIn = (...gates: object[]) =>
      adviceOf(policyOf({ gates })).some(({ message }) => message.startsWith("whoever reads the member's messages"));
    expect(letsReadersIn(mail)).toBe(true);
    expect(letsReadersIn({ anyOf: [otp, mail] })).toBe(true);
    expect(letsReadersIn({ anyOf: [{ allOf: [otp, mail] }, { allOf: [mail, { gate: "sms" }] }] })).toBe(true);
    expect(letsReadersIn({ anyOf: [otp, { allOf: [mail, { gate: "question" }] }] })).toBe(false);
    expect(letsReadersIn(otp, mail)).toBe(false);
    expect(letsReadersIn({ gate: "key" }, mail)).toBe(false);
  });

  it("is advised to offer another way than text messages only where there is none", () => {
    const sms = { gate: "sms" };
    const isAdvised = (...gates: object[]) =>
      adviceOf(policyOf({ gates: [{ gate: "key" }, ...gates] })).some(({ message }) => message.includes("another way"));
    expect(isAdvised(sms)).toBe(true);
    expect(isAdvised({ anyOf: [{ allOf: [otp, sms] }, sms] })).toBe(true);
    expect(isAdvised({ anyOf: [otp, sms] }, sms)).toBe(true);
    expect(isAdvised({ anyOf: [{ allOf: [mail, sms] }, otp] })).toBe(false);
  });

  it("says where its gates stand and whether it needs a key", () => {
    const policy = policyOf({ gates: [{ gate: "path" }, { gate: "key" }, { anyOf: [otp, { allOf: [otp] }] }] });
    expect(leavesOf(policy).map(({ at, gate }) => `${at} ${gate}`)).toEqual([
      "0 path",
      "1 key",
      "2.0 otp",
      "2.1.0 otp",
    ]);
    expect(leavesOf(policy)[2]?.config).toEqual({ of: "member" });
    expect(requiresKey(policy)).toBe(true);
    expect(requiresKey(policyOf({ gates: [otp] }))).toBe(false);
  });
});

describe("bounds are allowed values", () => {
  it.each([
    { deadlines: { answer: "5s", handshake: "10s" } },
    { deadlines: { answer: "10s", handshake: "10s" } },
    { deadlines: { handshake: "20s" } },
    { deadlines: { answer: "10m", handshake: "60m" } },
    { deadlines: { handshake: "1h" } },
    { session: "1s" },
    { session: "24h" },
    { onFailure: { attempts: 1 } },
    { onFailure: { attempts: 10, then: "deny" } },
    { onFailure: { then: "lockout", free: 1, work: 0, lockout: { after: 2, for: "1m" } } },
    { onFailure: { then: "lockout", free: 100, work: 100 } },
    { onFailure: { then: "silence", delay: { first: "1s", max: "1s" } } },
    { onFailure: { then: "decoy", free: 100, work: 100, delay: { first: "1h", max: "24h" } } },
    { onFailure: { trusted: ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"] } },
    { messaging: { maxBytes: 1, perSecond: 1 } },
    { messaging: { mode: "broadcast", maxBytes: 1_048_576, perSecond: 1000 } },
    { origins: ["https://app.example.com", "http://localhost:8080", "http://[::1]:3000"] },
    { gates: [nested(4)] },
    { gates: [many(32)] },
    { mode: "offered", anonymous: true, encryption: { session: "none", endToEnd: "required" } },
  ])("%j", (change) => {
    expect(parsePolicy({ gates: [otp], ...change })).toMatchObject({ ok: true });
  });
});

const duration = (min: string, max: string) => `must be a duration from ${min} to ${max}, written like 30s, 10m or 12h`;
const whole = (min: number, max: number) => `must be a whole number from ${min} to ${max}`;
const originMessage = "must be an origin such as https://app.example.com: http or https, no path, lower case";

describe("a bad policy is refused with the field's path and what is allowed", () => {
  it.each<[unknown, string, string]>([
    [{ gates: [{ gate: "key" }, { gate: "fax" }] }, "gates.1.gate", allGates],
    [{ gates: [{ gate: 3 }] }, "gates.0.gate", allGates],
    [{ gates: [{ gate: "toString" }] }, "gates.0.gate", allGates],
    [{ gates: [otp, { anyOf: [otp, { allOf: [{ gate: "x" }] }] }] }, "gates.1.anyOf.1.allOf.0.gate", allGates],
    [{ gates: [{ gate: "approval", quorum: 6 }] }, "gates.0.quorum", whole(1, 5)],
    [{ gates: [{ gate: "approval", quorum: 0 }] }, "gates.0.quorum", whole(1, 5)],
    [{ gates: [{ gate: "approval", notify: "sms" }] }, "gates.0.notify", "allowed: mail, none"],
    [{ gates: [{ gate: "otp", who: 1 }] }, "gates.0.who", "not known here; allowed: gate, of"],
    [{ gates: [{ gate: "key", of: "member" }] }, "gates.0.of", "not known here; allowed: gate"],
    [{ gates: [{ gate: "otp", of: "owner" }] }, "gates.0.of", "allowed: member, socket"],
    [{ gates: [{ anyOf: [otp], not: 1 }] }, "gates.0.not", "not known here; allowed: anyOf"],
    [{ gates: [{}] }, "gates.0", "must have exactly one of: gate, anyOf, allOf, distinct, when"],
    [
      { gates: [{ anyOf: [otp], allOf: [otp] }] },
      "gates.0",
      "must have exactly one of: gate, anyOf, allOf, distinct, when",
    ],
    [
      { gates: [{ gate: "otp", anyOf: [otp] }] },
      "gates.0",
      "must have exactly one of: gate, anyOf, allOf, distinct, when",
    ],
    [{ gates: ["otp"] }, "gates.0", "must be an object with one of: gate, anyOf, allOf, distinct, when"],
    [
      { gates: [{ anyOf: [null] }] },
      "gates.0.anyOf.0",
      "must be an object with one of: gate, anyOf, allOf, distinct, when",
    ],
    [{ gates: [{ anyOf: [] }] }, "gates.0.anyOf", "must hold at least one item"],
    [{ gates: [{ allOf: {} }] }, "gates.0.allOf", "is something else; expected array"],
    [{ gates: [nested(5)] }, "gates.0.anyOf.0.anyOf.0.anyOf.0", "must be a gate: items nest at most 4 deep"],
    [{ gates: [many(20), many(13)] }, "gates", "must hold at most 32 gates in all"],
    [{ gates: [many(33)] }, "gates.0.allOf", "must hold at most 32 items"],
    [{ gates: [] }, "gates", 'must hold at least one item; {"gate":"path"} says that the path is enough'],
    [{ gates: [otp, { gate: "key" }] }, "gates.1.gate", "key may only stand at the top, first or after path"],
    [
      { gates: [{ gate: "key" }, { gate: "key" }] },
      "gates.1.gate",
      "key may only stand at the top, first or after path",
    ],
    [
      { gates: [{ anyOf: [{ gate: "key" }, otp] }] },
      "gates.0.anyOf.0.gate",
      "key may only stand at the top, first or after path",
    ],
    [{ gates: [{ gate: "key" }, { gate: "path" }] }, "gates.1.gate", "path may only be the first item"],
    [{}, "gates", "is missing; expected array"],
    [null, "", "is something else; expected object"],
    [[], "", "is something else; expected object"],
    ["{}", "", "is something else; expected object"],
    [
      { gates: [otp], meanwhile: [] },
      "meanwhile",
      "not known here; allowed: before, gates, mode, onFailure, deadlines, session, messaging, resume, origins, anonymous, encryption, during",
    ],
    [
      JSON.parse('{"gates":[{"gate":"otp"}],"__proto__":{}}'),
      "__proto__",
      "not known here; allowed: before, gates, mode, onFailure, deadlines, session, messaging, resume, origins, anonymous, encryption, during",
    ],
    [{ gates: [otp], mode: "asked" }, "mode", "allowed: prompted, offered"],
    [{ gates: [otp], onFailure: { attempts: 0 } }, "onFailure.attempts", whole(1, 10)],
    [{ gates: [otp], onFailure: { attempts: 11 } }, "onFailure.attempts", whole(1, 10)],
    [{ gates: [otp], onFailure: { attempts: 1.5 } }, "onFailure.attempts", whole(1, 10)],
    [{ gates: [otp], onFailure: { then: "ban" } }, "onFailure.then", "allowed: deny, lockout, silence, decoy"],
    [{ gates: [otp], onFailure: { free: 0 } }, "onFailure.free", whole(1, 100)],
    [
      { gates: [otp], onFailure: { delay: { first: "1m", max: "30s" } } },
      "onFailure.delay.max",
      "must not be shorter than delay.first",
    ],
    [{ gates: [otp], onFailure: { lockout: {} } }, "onFailure.lockout", 'belongs to then: "lockout"'],
    [
      { gates: [otp], onFailure: { then: "lockout", lockout: { after: 10 } } },
      "onFailure.lockout.after",
      "must be more than free and work together: the price comes before the lockout",
    ],
    [
      { gates: [{ gate: "key" }], onFailure: { then: "decoy" } },
      "onFailure.then",
      "must not be decoy where no gate has to be answered: nobody would ever fail",
    ],
    [
      { gates: [otp], onFailure: { trusted: ["everywhere"] } },
      "onFailure.trusted.0",
      "must be an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32",
    ],
    [{ gates: [otp], onFailure: null }, "onFailure", "is something else; expected object"],
    [{ gates: [otp], deadlines: { answer: "4s" } }, "deadlines.answer", duration("5s", "10m")],
    [{ gates: [otp], deadlines: { answer: "601s" } }, "deadlines.answer", duration("5s", "10m")],
    [{ gates: [otp], deadlines: { handshake: "9s" } }, "deadlines.handshake", duration("10s", "60m")],
    [{ gates: [otp], deadlines: { handshake: 60 } }, "deadlines.handshake", duration("10s", "60m")],
    [{ gates: [otp], deadlines: { answer: "11s", handshake: "10s" } }, "deadlines.answer", longerThanAll],
    [{ gates: [otp], deadlines: { answer: "3m" } }, "deadlines.answer", longerThanAll],
    [{ gates: [otp], deadlines: { rest: "1m" } }, "deadlines.rest", "not known here; allowed: answer, wait, handshake"],
    [{ gates: [mail], deadlines: { wait: "10m", handshake: "9m" } }, "deadlines.wait", longerThanAll],
    [
      { gates: [mail], deadlines: { wait: "11m" } },
      "deadlines.wait",
      "must be a duration from 30s to 10m, written like 30s, 10m or 12h",
    ],
    [{ gates: Array(9).fill(mail) }, "gates", "must hold at most 8 gates that wait for somebody"],
    [{ gates: [{ gate: "sms", by: "pigeon" }] }, "gates.0.by", "allowed: code, link"],
    [{ gates: [{ gate: "question", kind: "riddle" }] }, "gates.0.kind", "allowed: excerpt, rule, custom"],
    [{ gates: [{ gate: "external" }] }, "gates.0.webhook", "must be the id of one of the socket's webhooks"],
    [
      { gates: [{ gate: "question", kind: "custom", webhook: "a b" }] },
      "gates.0.webhook",
      "must be the id of one of the socket's webhooks",
    ],
    [
      { gates: Array.from({ length: 4 }, () => ({ gate: "question", kind: "custom", webhook: "h" })) },
      "gates",
      "must hold at most 3 questions of kind custom",
    ],
    [{ gates: [otp, mail], mode: "offered" }, "mode", "must be prompted: email has to ask first"],
    [
      { gates: [{ anyOf: [otp, { gate: "question" }] }], mode: "offered" },
      "mode",
      "must be prompted: question has to ask first",
    ],
    [{ gates: [otp], session: "25h" }, "session", duration("1s", "24h")],
    [{ gates: [otp], session: "0s" }, "session", duration("1s", "24h")],
    [{ gates: [otp], session: " 1h" }, "session", duration("1s", "24h")],
    [{ gates: [otp], session: "1h\n" }, "session", duration("1s", "24h")],
    [{ gates: [otp], messaging: { mode: "members" } }, "messaging.mode", "allowed: broadcast, consumer"],
    [
      { gates: [otp], messaging: { mode: "consumer", history: { messages: 10 } } },
      "messaging.history",
      'must be "off" where messages go to a consumer: what is said to one is nothing for another to catch up on',
    ],
    [
      { gates: [otp], messaging: { consumerPerSecond: 0 } },
      "messaging.consumerPerSecond",
      "must be a whole number from 1 to 10000",
    ],
    [{ gates: [otp], messaging: { maxBytes: 1_048_577 } }, "messaging.maxBytes", whole(1, 1_048_576)],
    [{ gates: [otp], messaging: { perSecond: 1001 } }, "messaging.perSecond", whole(1, 1000)],
    [{ gates: [otp], messaging: { perSecond: "9" } }, "messaging.perSecond", whole(1, 1000)],
    [{ gates: [otp], origins: ["https://a.example/"] }, "origins.0", originMessage],
    [{ gates: [otp], origins: ["https://a.example", "https://A.example"] }, "origins.1", originMessage],
    [{ gates: [otp], origins: ["https://u:p@a.example"] }, "origins.0", originMessage],
    [{ gates: [otp], origins: ["https://a.example:443"] }, "origins.0", originMessage],
    [{ gates: [otp], origins: ["ftp://a.example"] }, "origins.0", originMessage],
    [{ gates: [otp], origins: ["null"] }, "origins.0", originMessage],
    [{ gates: [otp], origins: ["*"] }, "origins.0", originMessage],
    [{ gates: [otp], anonymous: "no" }, "anonymous", "is something else; expected boolean"],
    [{ gates: [otp], encryption: { session: "optional" } }, "encryption.session", "allowed: none, required"],
    [{ gates: [otp], resume: "1s" }, "resume", 'must be "off" or a duration from 5s to 10m'],
    [{ gates: [otp], resume: 60 }, "resume", 'must be "off" or a duration from 5s to 10m'],
    [
      { gates: [otp], messaging: { history: { messages: 10, minutes: 1 } } },
      "messaging.history",
      'must be "off", { messages: 1 to 1000 } or { minutes: 1 to 60 }',
    ],
    [
      { gates: [otp], messaging: { history: { messages: 500 } } },
      "messaging.history.messages",
      "must not be more than 16 MiB: with messages of 65536 bytes, at most 256",
    ],
    [{ gates: [otp], encryption: { suite: "647a" } }, "encryption.suite", "allowed: any, post-quantum"],
    [{ gates: [otp], encryption: { endToEnd: "always" } }, "encryption.endToEnd", "allowed: off, allowed, required"],
    [
      { gates: [otp], encryption: { endToEnd: "allowed" }, messaging: { maxBytes: 8191 } },
      "messaging.maxBytes",
      "must be at least 8192 where bodies are sealed end to end, which alone takes more than 5 KiB",
    ],
    [
      { gates: [otp], encryption: { endToEnd: "required" }, onFailure: { then: "decoy" } },
      "onFailure.then",
      "must not be decoy where members have to seal end to end: nobody there could answer, and what others seem to say would be in the clear",
    ],
  ])("%j at %s", (document, path, message) => {
    const parsed = parsePolicy(document);
    expect(parsed.ok ? [] : parsed.issues).toEqual([{ path, message }]);
  });

  it("reports all problems at once, and a bounded number of them", () => {
    const parsed = parsePolicy({ gates: [{ gate: "x" }, { gate: "otp", of: 1 }], mode: 1, session: 1 });
    expect(parsed.ok ? [] : parsed.issues.map(({ path }) => path)).toEqual([
      "gates.0.gate",
      "gates.1.of",
      "mode",
      "session",
    ]);
    const unknown = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`${"x".repeat(500)}${index}`, 1]));
    const flooded = parsePolicy({ gates: [otp], ...unknown });
    expect(flooded.ok ? 0 : flooded.issues.length).toBe(50);
    expect(flooded.ok ? "" : flooded.issues[0]?.path).toHaveLength(64);
  });

  it("is not brought down by depth", () => {
    expect(parsePolicy({ gates: [nested(50_000)] }).ok).toBe(false);
  });
});

describe("schemas", () => {
  it("describe the document for OpenAPI, defaults as an owner writes them", () => {
    const schema = z.toJSONSchema(policyDocumentSchema, { io: "input" });
    expect(schema).toMatchObject({
      required: ["gates"],
      additionalProperties: false,
      properties: {
        session: { type: "string", default: "12h" },
        deadlines: {
          properties: {
            answer: { description: expect.stringContaining("30s unless set") },
            handshake: { description: expect.stringContaining("2m unless set") },
          },
        },
        mode: { enum: ["prompted", "offered"] },
      },
    });
  });

  it("of the stored form fill nothing in", () => {
    const stored = JSON.parse(JSON.stringify(policyOf({ gates: [{ gate: "key" }, otp] })));
    expect(policySchema.safeParse(stored).success).toBe(true);
    for (const field of Object.keys(stored)) {
      const { [field]: _, ...rest } = stored;
      expect(policySchema.safeParse(rest).success, field).toBe(false);
    }
    expect(policySchema.safeParse({ ...stored, gates: [otp] }).success).toBe(false);
    expect(policySchema.safeParse({ ...stored, gates: [{ gate: "otp", of: "member" }, { gate: "key" }] }).success).toBe(
      false,
    );
    expect(policySchema.safeParse({ ...stored, more: 1 }).success).toBe(false);
    expect(policySchema.safeParse({ ...stored, sessionMs: 86_400_001 }).success).toBe(false);
  });
});
