import { type ConfigOf, defineConfig, integer } from "@portcullis/runtime";

export const factorsConfig = defineConfig({
  failuresMax: {
    env: "OTP_FAILURES_MAX",
    type: integer({ min: 5, max: 100 }),
    default: "100",
    describe:
      "Wrong codes in a row after which an authenticator is dead until it is enrolled anew (NIST SP 800-63B-4 section 3.2.2 allows 100 at most).",
  },
});

export type FactorsConfig = ConfigOf<typeof factorsConfig.options>;
