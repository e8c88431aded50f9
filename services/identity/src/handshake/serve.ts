import type { Server } from "@portcullis/bus";
import { handshakeLeft, identityOpen, identityStep } from "@portcullis/contracts";
import type { Engine } from "./engine.ts";

export async function serveHandshakes(server: Server, engine: Engine): Promise<void> {
  await server.serve(identityOpen, ({ hid, opening, answers, ...claims }) =>
    engine.open(hid, { opening, claims, answers }),
  );
  await server.serve(identityStep, ({ hid, ...taken }) => engine.step(hid, taken));
  await server.on(handshakeLeft, ({ hid }) => engine.left(hid));
}
