import { type ConfigOf, defineConfig, duration } from "@portcullis/runtime";

export const keysConfig = defineConfig({
  tickEveryMs: {
    env: "TICK_INTERVAL",
    type: duration({ min: "100ms", max: "10m" }),
    default: "15s",
    describe:
      "How often a socket with sealed messages is told how far they have come: a message that got lost is noticed by then.",
  },
});
export type KeysConfig = ConfigOf<typeof keysConfig.options>;
