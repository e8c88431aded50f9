import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { OpenPayload } from "@portcullis/protocol";
import { keyAndOtp, makeKey, makeMember, makeSocket, type OwnedSocket } from "../../e2e/support/socket.ts";
import { startWorld } from "../../e2e/support/world.ts";
import { destinationIn } from "./knock.ts";
import { lockOut, lockout } from "./lock-out.ts";
import { startPlanted } from "./planted.ts";

/** What a hunter knows and does not know: places with and without a socket, and keys that open none of them. */
export interface Hunted {
  readonly url: string;
  readonly port: number;
  /** The same server, behind somebody who gives live sockets away: by half a millisecond, or by one byte. */
  readonly planted: { readonly delay: number; readonly byte: number };
  readonly live: Place;
  readonly deleted: Place;
  readonly revokedKey: string;
  /** Its member is locked out. */
  readonly locked: Place;
}

export interface Place {
  readonly dst: OpenPayload["dst"];
  readonly appKey: string;
}

const placeOf = ({ url, appKey }: OwnedSocket): Place => ({ dst: destinationIn(`${url}?id=bob`), appKey });

/** The world of this file in a process of its own: its event loop is not the hunter's, who would otherwise measure themselves. */
export async function startHunted(): Promise<Hunted & { readonly stop: () => Promise<void> }> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), {
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const [hunted] = (await once(child, "message")) as [Hunted];
  return {
    ...hunted,
    async stop() {
      const gone = once(child, "exit");
      child.disconnect();
      await gone;
    },
  };
}

async function beHunted(send: (hunted: Hunted) => void): Promise<void> {
  // Whoever tries at a passphrase comes from a new network each time, as who has many would.
  const world = await startWorld({ env: { SWEEP_INTERVAL: "10m", TRUSTED_PROXIES: "127.0.0.1,::1" } });
  const make = async (policy: object = keyAndOtp) => {
    const socket = await makeSocket(world.owner, policy);
    return { ...socket, bob: await makeMember(world.owner, socket, "bob") };
  };
  const live = await make();
  const { appKey: revokedKey, keyId } = await makeKey(world.owner, live.id);
  await world.owner.delete(`/v1/sockets/${live.id}/keys/${keyId}`);
  const deleted = await make();
  await world.owner.delete(`/v1/sockets/${deleted.id}`);
  const locked = await make({ ...keyAndOtp, onFailure: lockout });
  await lockOut(`${locked.url}?id=bob`, locked.appKey, locked.bob, world.now());
  const port = Number(new URL(world.url).port);
  const [delay, byte] = await Promise.all([
    startPlanted(port, destinationIn(live.url), "delay"),
    startPlanted(port, destinationIn(live.url), "byte"),
  ]);
  process.once("disconnect", () => process.exit());
  const planted = { delay, byte };
  const places = { live: placeOf(live), deleted: placeOf(deleted), locked: placeOf(locked) };
  send({ url: world.url, port, planted, revokedKey, ...places });
}

/** A well-made key that never was. */
export function inventedKey(like: string): string {
  const [version, , , fingerprint] = like.split(".");
  const random = (bytes: number) => randomBytes(bytes).toString("base64url");
  return [version, random(12), random(32), fingerprint].join(".");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await beHunted((hunted) => process.send?.(hunted));
