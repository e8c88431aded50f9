import type { Server } from "@portcullis/bus";
import {
  composeWait,
  confirmWait,
  findWait,
  readWait,
  reportWait,
  resendWait,
  ServiceError,
  startWait,
  wakeWait,
} from "@portcullis/contracts";
import { networkOf } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { Approvals } from "../approvals/approvals.ts";
import type { Gate } from "../gates/gate.ts";
import type { Waits } from "./waits.ts";

/** Pages and numbers that one network may try: a link is not guessed, but whoever tries is not to try for free. */
const perNetworkMax = 60;
const perNetworkMs = 10 * 60_000;

/** Answers the `factors.waits.*` contracts. */
export async function serveWaits(
  server: Server,
  {
    gates,
    waits,
    approvals,
    state,
    tagOf,
  }: {
    readonly gates: ReadonlyMap<string, Gate>;
    readonly waits: Waits;
    readonly approvals: Pick<Approvals, "start">;
    readonly state: State;
    readonly tagOf: (text: string) => string;
  },
): Promise<void> {
  const admitNetwork = async (address: string) => {
    const tries = await state.add(`factors.confirm.${tagOf(networkOf(address))}`, 1, perNetworkMs);
    if (tries > perNetworkMax) throw new ServiceError("too_many", { retryAfterS: perNetworkMs / 1_000 });
  };

  await server.serve(startWait, async ({ config, network, ...wait }) => {
    const kind = gates.get(wait.gate)?.wait?.(config) ?? null;
    const to = kind?.to ?? wait.to;
    if (kind === null || (kind.channel === null) !== (to === null)) throw new ServiceError("invalid");
    if (kind.quorum !== undefined) {
      const { enrolmentId: _, to: __, ...asked } = wait;
      return approvals.start({ ...asked, network, quorum: kind.quorum });
    }
    return waits.start({ ...wait, to, channel: kind.channel, by: kind.by });
  });
  await server.serve(resendWait, ({ waitId, ref }) => waits.resend(waitId, ref));
  await server.serve(readWait, ({ waitId }) => waits.read(waitId));
  await server.serve(composeWait, async ({ waitId }) => ({ message: await waits.compose(waitId) }));
  await server.serve(reportWait, async ({ waitId, sending, status }) => {
    await waits.report(waitId, sending, status);
    return {};
  });
  await server.serve(wakeWait, async ({ waitId }) => {
    await waits.wake(waitId);
    return {};
  });
  await server.serve(findWait, async ({ token, address }) => {
    await admitNetwork(address);
    return { wait: await waits.find(token) };
  });
  await server.serve(confirmWait, async ({ token, number, address }) => {
    await admitNetwork(address);
    return { result: await waits.confirm(token, number) };
  });
}
