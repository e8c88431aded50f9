import { runService } from "@portcullis/platform";
import { apiConfig } from "./config.ts";
import { run } from "./run.ts";

runService({
  service: "api",
  definition: apiConfig,
  ownHttp: ({ host, port }) => ({ host, port }),
  portSetting: "PORT",
  start: run,
});
