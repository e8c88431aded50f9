import { type WaitView, waitFate, waitStatus } from "@portcullis/contracts";
import type { Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";
import { type Channel, channel } from "./channel.ts";
import { masked } from "./masked.ts";

const wait = z.strictObject({
  handshake: z.string(),
  socketId: z.string(),
  gate: z.string(),
  /** Of what is enrolled for the gate, the contact for example; null where it needs nothing enrolled. */
  enrolmentId: z.string().nullable(),
  /** Null: nobody is sent anything. */
  channel: channel.nullable(),
  by: z.enum(["code", "link", "approval", "callback"]),
  /** Null where nobody is sent anything. */
  to: z.string().nullable(),
  /** As claimed. */
  member: z.string().nullable(),
  /** Name of the socket. */
  label: z.string(),
  /** Shown by the waiting client and typed on the page; null where a code is typed into the client. */
  number: z.string().nullable(),
  untilMs: z.number().int(),
  status: waitStatus,
  resendAtMs: z.number().int().nullable(),
  /** Messages that were asked for. `ref` says by which request, `done` that a transport has taken it or never will. */
  sendings: z.array(z.strictObject({ id: z.string(), ref: z.string(), done: z.boolean() })).max(16),
  fate: waitFate,
  /** Where people of the socket decide: under which grants it was approved, and how many numbers were wrong. */
  approval: z
    .strictObject({
      needed: z.number().int().min(1).max(5),
      given: z.array(z.string()).max(5),
      wrong: z.number().int().min(0).max(3),
      sinceMs: z.number().int(),
      network: z.string(),
    })
    .nullable(),
});
export type Wait = z.infer<typeof wait>;

/** One in which somebody is sent something. */
export type Addressed = Wait & { readonly channel: Channel; readonly to: string };

/** One in which a person is sent a text. */
export type AddressedToPerson = Addressed & { readonly channel: Exclude<Channel, "webhook"> };

export function isToPerson(wait: Wait): wait is AddressedToPerson {
  return isAddressed(wait) && wait.channel !== "webhook";
}

export function isAddressed(wait: Wait): wait is Addressed {
  return wait.channel !== null && wait.to !== null;
}

export interface StoredWait {
  readonly wait: Wait;
  readonly version: string;
}

/** Waits live in the state port, under the vault because they hold a contact, and end by themselves. No code is stored. */
export interface WaitStore {
  /** @returns false where it exists. */
  create(waitId: string, wait: Wait): Promise<boolean>;
  get(waitId: string): Promise<StoredWait | null>;
  replace(waitId: string, version: string, wait: Wait): Promise<boolean>;
}

/** What is over is remembered for so long: a status that is reported late finds what it is about. */
const afterlifeMs = 60_000;

export function createWaitStore(state: State, vault: Vault, clock: () => number): WaitStore {
  const key = (waitId: string) => `factors.wait.${waitId}`;
  const seal = (waitId: string, value: Wait) => vault.wrap(Buffer.from(JSON.stringify(value)), `waits/${waitId}`);
  const ttlMs = ({ untilMs }: Wait) => Math.max(0, untilMs - clock()) + afterlifeMs;
  return {
    create: async (waitId, value) => (await state.create(key(waitId), seal(waitId, value), ttlMs(value))) !== null,
    async get(waitId) {
      const found = await state.get(key(waitId));
      if (found === null) return null;
      const opened = vault.unwrap(found.value, `waits/${waitId}`);
      return { wait: wait.parse(JSON.parse(Buffer.from(opened).toString("utf8"))), version: found.version };
    },
    replace: async (waitId, version, value) =>
      (await state.replace(key(waitId), version, seal(waitId, value), ttlMs(value))) !== null,
  };
}

export function viewOf({ by, channel, to, number, status, resendAtMs, approval }: Wait): WaitView {
  const prompt = {
    by,
    // Which program of the owner's is asked is nobody else's business.
    ...(channel === null || channel === "webhook" || to === null ? {} : { to: masked(channel, to) }),
    ...(number === null ? {} : { number }),
    ...(approval === null ? {} : { given: approval.given.length, needed: approval.needed }),
  };
  return { prompt, status, resendAtMs };
}
