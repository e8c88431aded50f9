import { runService } from "@portcullis/platform";
import { keysConfig } from "./config.ts";
import { run } from "./run.ts";

runService({ service: "keys", definition: keysConfig, start: run });
