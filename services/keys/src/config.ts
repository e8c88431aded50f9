import { defineConfig } from "@portcullis/runtime";

/** Nothing of its own yet: what it stands on is configured by the platform. */
export const keysConfig = defineConfig({});
