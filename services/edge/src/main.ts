import { runService } from "@portcullis/platform";
import { edgeConfig } from "./config.ts";
import { run } from "./run.ts";

runService({ service: "edge", definition: edgeConfig, ownHttp: true, portSetting: "EDGE_PORT", start: run });
