import { type ConfigOf, defineConfig, integer, origin, outboundAllow } from "@portcullis/runtime";

export const factorsConfig = defineConfig({
  failuresMax: {
    env: "OTP_FAILURES_MAX",
    type: integer({ min: 5, max: 100 }),
    default: "100",
    describe:
      "Wrong codes in a row after which an authenticator or a contact is dead until it is enrolled anew (NIST SP 800-63B-4 section 3.2.2 allows 100 at most).",
  },
  publicUrl: {
    env: "PUBLIC_URL",
    type: origin(["http:", "https:"], "https://portcullis.example.com"),
    default: "http://localhost:8080",
    describe: "Where people reach the API: links in messages lead there.",
  },
  smsPerSocketDay: {
    env: "SMS_PER_SOCKET_DAY",
    type: integer({ min: 0, max: 1_000_000 }),
    default: "500",
    describe: "Text messages that one socket may cause in a day: each costs money. 0: none.",
  },
  callsPerSocketDay: {
    env: "CALLS_PER_SOCKET_DAY",
    type: integer({ min: 0, max: 1_000_000 }),
    default: "100",
    describe: "Calls that one socket may cause in a day: each costs money, and some numbers much of it. 0: none.",
  },
  emailsPerSocketDay: {
    env: "EMAILS_PER_SOCKET_DAY",
    type: integer({ min: 0, max: 1_000_000 }),
    default: "5000",
    describe: "E-mails that one socket may cause in a day. 0: none.",
  },
  webhooksPerSocketDay: {
    env: "WEBHOOKS_PER_SOCKET_DAY",
    type: integer({ min: 0, max: 10_000_000 }),
    default: "20000",
    describe:
      "Requests to its owner's programs that one socket may cause in a day, `external` and questions of kind `custom`. 0: none.",
  },
  webhooksPerSocketMinute: {
    env: "WEBHOOKS_PER_SOCKET_MINUTE",
    type: integer({ min: 1, max: 1_000 }),
    default: "120",
    describe: "The same for any minute.",
  },
  outboundAllow,
});

export type FactorsConfig = ConfigOf<typeof factorsConfig.options>;
