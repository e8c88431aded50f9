export { type EmbeddedStateOptions, openEmbeddedState } from "./state.ts";
