import { runService } from "@portcullis/platform";
import { identityConfig } from "./config.ts";
import { run } from "./run.ts";

runService({ service: "identity", definition: identityConfig, start: run });
