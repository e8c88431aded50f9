import { type ConnectOptions, connect, PortcullisError, type Session } from "@portcullis/client";
import { mintAppKey } from "@portcullis/contracts";
import type { World } from "../../e2e/support/world.ts";

/** A key that the owner has planted somewhere. */
export async function plantKey({ embedded }: World, socketId: string): Promise<string> {
  const { caller } = embedded.platformFor("identity");
  const planted = { socketId, label: "planted", role: "member" as const, canary: true };
  return (await caller.call(mintAppKey, planted)).key;
}

/** Somebody who found a key, and tries one code after the other until they are let in. */
export function createIntruder(url: string, appKey?: string) {
  let tried = 0;
  const nextCode = () => {
    tried += 1;
    return String(tried).padStart(6, "0");
  };
  return {
    async land(options: ConnectOptions = {}): Promise<Session> {
      for (;;) {
        try {
          return await connect(url, { appKey, answers: { otp: nextCode, sms: nextCode }, echo: true, ...options });
        } catch (error) {
          if (!(error instanceof PortcullisError) || error.code !== "denied") throw error;
        }
      }
    },
  };
}
