import { runService } from "@portcullis/platform";
import { factorsConfig } from "./config.ts";
import { run } from "./run.ts";

runService({ service: "factors", definition: factorsConfig, start: run });
