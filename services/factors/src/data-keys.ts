import { environment, keysCommand } from "@portcullis/platform";
import { runProcess } from "@portcullis/runtime";
import { sealedStores } from "./sealed.ts";

/** `portcullis keys` where there is this service alone: in its container. */
runProcess("data-keys", async ({ closer, signal, stop }) => {
  const write = (text: string) => void process.stdout.write(text);
  const rest = { environment, write, closer, signal };
  await keysCommand(process.argv.slice(2), { sealed: { factors: sealedStores }, service: "factors", ...rest });
  stop();
  return undefined;
});
