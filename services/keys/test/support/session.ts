import { type Outcome, placedMessage, takeMessages } from "@portcullis/contracts";
import { openGroupRecord, openRecord, sealRecord } from "@portcullis/crypto";
import {
  type Accepted,
  type ApplicationDown,
  base64url,
  encodeControl,
  encodeMessageUp,
  type GroupDown,
  type GroupGrant,
  parseApplicationDown,
  parseGroupDown,
  parseGroupRecord,
  recordTypes,
} from "@portcullis/protocol";
import type { ClientOptions } from "./client.ts";
import { accepted, type World } from "./world.ts";

export type AcceptedOutcome = Extract<Outcome, { say: "accepted" }>;

/** Terms of a session that differ from an unsealed one's. */
export interface Terms {
  readonly sealed?: boolean;
  readonly history?: AcceptedOutcome["history"];
  readonly socketId?: string;
  readonly maxBytes?: number;
}

/** What `identity` says of a session. */
export function letIn(world: World, { sealed = true, history = null, socketId, maxBytes = 65_536 }: Terms = {}) {
  const outcome = accepted(world.now() + 3_600_000, socketId);
  const placed = sealed || history !== null;
  return { ...outcome, history, admitted: { ...outcome.admitted, sealed, placed, relayed: placed, maxBytes } };
}

/** Through an opening that is accepted at once. */
export async function enter(
  world: World,
  { outcome, ...options }: Omit<ClientOptions, "nowMs"> & { readonly outcome: AcceptedOutcome },
) {
  world.identity.onOpen = () => outcome;
  const client = await world.client(options);
  const step = await world.open(client.route, client.open);
  const plaintext = await client.hear(step);
  if (plaintext.t !== "accepted") throw new Error(`not accepted: ${plaintext.t}`);
  const { secrets } = await client.finish();
  return { client, step, accepted: plaintext, ...sessionOf(world, client.hid, plaintext, secrets) };
}

export type Entered = Awaited<ReturnType<typeof enter>>;

function sessionOf(
  world: World,
  hid: string,
  { sid, sealed }: Accepted,
  secrets: { readonly client: Uint8Array; readonly server: Uint8Array; readonly resume: Uint8Array },
) {
  let counter = 0;
  const seal = (plaintext: Uint8Array) => {
    const header = { type: recordTypes.applicationUp, generation: 0, counter } as const;
    counter += 1;
    return sealRecord({ ...header, secret: secrets.client, plaintext });
  };
  return {
    sid,
    hid,
    secrets,
    seal,
    /** A frame, not sent. */
    message: async (n: number, body: string | Uint8Array) => {
      const bytes = encodeMessageUp({ counter: n, body: typeof body === "string" ? Buffer.from(body) : body });
      return sealed ? seal(bytes) : bytes;
    },
    catchUp: (after: number) => seal(encodeControl({ t: "catch-up", after })),
    take: (...frames: Uint8Array[]) => world.edge.call(takeMessages, { sid, hid, frames }),
    open: async (frame: Uint8Array): Promise<ApplicationDown> =>
      parseApplicationDown(await openRecord({ secret: secrets.server, record: frame })),
  };
}

/** Everything that goes to the edges of a socket. */
export async function listen(world: World, socketId = "socket-1") {
  const events: { readonly epoch: number | null; readonly frame: Uint8Array }[] = [];
  const edge = world.embedded.platformFor("edge");
  await edge.server.on(placedMessage, (event) => void events.push(event), { route: socketId });
  return events;
}

export async function openGroup(grant: GroupGrant | undefined, frame: Uint8Array): Promise<GroupDown> {
  if (grant === undefined) throw new Error("no key was given");
  const { socket: socketId, key, verify } = grant;
  const keys = { socketId, secret: base64url.decode(key), verifyKey: base64url.decode(verify) };
  return parseGroupDown(await openGroupRecord({ ...keys, record: parseGroupRecord(frame) }));
}

export const bodyOf = (down: ApplicationDown | GroupDown): string =>
  down.t === "message" ? Buffer.from(down.body).toString() : `not a message: ${down.t}`;
