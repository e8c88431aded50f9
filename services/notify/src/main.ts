import { runService } from "@portcullis/platform";
import { notifyConfig } from "./config.ts";
import { run } from "./run.ts";

runService({ service: "notify", definition: notifyConfig, start: run });
