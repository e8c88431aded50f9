import { runService } from "@portcullis/platform";
import { edgeConfig } from "./config.ts";
import { run } from "./run.ts";

runService({
  service: "edge",
  definition: edgeConfig,
  ownHttp: ({ host, port }) => ({ host, port }),
  portSetting: "EDGE_PORT",
  start: run,
});
