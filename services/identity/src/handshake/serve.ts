import type { Server } from "@portcullis/bus";
import { handshakeLeft, identityOpen, identityStep, wakeHandshake } from "@portcullis/contracts";
import type { Engine } from "./engine.ts";

export async function serveHandshakes(server: Server, engine: Engine): Promise<void> {
  await server.serve(identityOpen, ({ hid, opening, transcript, answers, ...claims }) =>
    engine.open(hid, { opening, transcript, claims, answers }),
  );
  await server.serve(identityStep, ({ handshake, ...taken }) => engine.step(handshake, taken));
  await server.serve(wakeHandshake, async ({ handshake, waitId }) => {
    await engine.wake(handshake, waitId);
    return {};
  });
  await server.on(handshakeLeft, ({ hid, why }) => engine.left(hid, why));
}
