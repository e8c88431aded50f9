import { connect, type Session } from "@portcullis/client";
import { parseAppKey } from "@portcullis/crypto";
import { expect, vi } from "vitest";
import { WebSocket } from "ws";
import type { Owner } from "../../../deploy/local/owner.ts";
import { createIntruder } from "../../attack/support/intruder.ts";
import type { Canaries } from "./canaries.ts";
import type { FrameRecorder } from "./frame-recorder.ts";
import { at } from "./sessions.ts";
import { makeMember, makeSocket, type OwnedSocket, plantKey } from "./socket.ts";

interface Place {
  readonly owner: Owner;
  /** Null: the address of the sockets. */
  readonly edge?: string | undefined;
  readonly canaries: Canaries;
  /** A network from which whoever fails comes, where a trusted proxy may say so. */
  readonly from?: string;
  /** By which everybody connects; absent: any. */
  readonly webSocket?: FrameRecorder["webSocket"];
}

const gates = [{ gate: "key" }, { gate: "otp" }];
const lockout = { attempts: 3, then: "lockout", free: 1, work: 0, lockout: { after: 2, for: "1h" } };
const decoy = { attempts: 10, then: "decoy" };

/**
 * All that comes of failing, with a secret wherever somebody puts one: lockouts and what is held, planted keys, alerts, a decoy with its script and its
 * transcript, the book, and the owner's reading of all that.
 *
 * @returns what stands in the stores readable, so that a search of them can be seen to work
 */
export async function failEverywhere(place: Place): Promise<{ readonly lockedOut: string; readonly decoyed: string }> {
  const lockedOut = await socketOf(place, lockout);
  await guess(place, lockedOut);
  const decoyed = await socketOf(place, decoy);
  await beDecoyed(place, decoyed);
  for (const { id } of [lockedOut, decoyed])
    for (const what of ["alerts", "holds", "decoys", "audit", "audit/export"])
      await place.owner.get(`/v1/sockets/${id}/${what}`).catch(() => null);
  return { lockedOut: lockedOut.id, decoyed: decoyed.id };
}

async function socketOf({ owner, canaries }: Place, onFailure: object) {
  const socket = await makeSocket(owner, { gates, onFailure, encryption: { session: "required" } });
  await makeMember(owner, socket, "bob");
  const planted = await plantKey(owner, socket.id);
  canaries.plant(`path of ${socket.id}`, new URL(socket.url).pathname.split("/").slice(2).join("/"));
  for (const { keyId, appKey } of [socket, planted]) {
    canaries.plant(`app key ${keyId}`, parseAppKey(appKey).secret.slice());
    canaries.plant(`text of app key ${keyId}`, appKey.split(".")[2] ?? "");
  }
  // Nobody is there: what goes out fails, and is logged.
  const url = `https://nowhere.invalid/${canaries.make(`webhook of ${socket.id}`)}`;
  const { webhook, secret } = await owner.post<{ webhook: { id: string }; secret: string }>(
    `/v1/sockets/${socket.id}/webhooks`,
    { url, purpose: "alerts" },
  );
  canaries.plant(`webhook's secret of ${socket.id}`, secret.replace("whsec_", ""));
  await owner.put(`/v1/sockets/${socket.id}/alerts/settings`, { mail: true, webhook: webhook.id, kinds: null });
  return { ...socket, planted: planted.appKey };
}

function comer({ edge, from, webSocket: Base = WebSocket }: Place, { url }: OwnedSocket) {
  const headers = from === undefined ? {} : { "x-forwarded-for": from };
  const webSocket = class extends Base {
    constructor(href: string, protocols: string[]) {
      super(href, protocols, { headers });
    }
  };
  return { url: `${edge === undefined ? url : at(edge, url)}?id=bob`, webSocket };
}

/** By the key, until nothing is looked at any more; and by the planted one. */
async function guess(place: Place, socket: OwnedSocket & { readonly planted: string }): Promise<void> {
  const { owner, canaries } = place;
  const { url, webSocket } = comer(place, socket);
  const otp = () => canaries.make(`guess ${canaries.names.length}`);
  for (let n = 0; n < 3; n += 1)
    await expect(connect(url, { appKey: socket.appKey, webSocket, answers: { otp } })).rejects.toThrow();
  const offer = [{ gate: "otp", value: otp() }];
  await expect(connect(url, { appKey: socket.planted, webSocket, offer })).rejects.toThrow();
  const { holds } = await owner.get<{ holds: { kind: string }[] }>(`/v1/sockets/${socket.id}/holds`);
  expect(holds.map(({ kind }) => kind)).toContain("lockout");
  await kindsOf(owner, socket, ["canary-key", "lockout"]);
}

async function beDecoyed(place: Place, socket: OwnedSocket & { readonly planted: string }): Promise<void> {
  const { owner, canaries } = place;
  const text = canaries.make(`script of ${socket.id}`);
  await owner.put(`/v1/sockets/${socket.id}/decoy`, { lines: [{ after: "200ms", from: "ann", text }], repeat: true });
  const { url, webSocket } = comer(place, socket);
  const wrong = [canaries.make("what is tried on the way into a decoy")];
  const { land } = createIntruder(url, socket.planted);
  const codes = Array.from({ length: 1_000 }, (_, n) => String(n).padStart(6, "0"));
  const otp = () => wrong.shift() ?? codes.shift() ?? null;
  const session = await land({ webSocket, answers: { otp }, timeoutMs: 30_000 });
  await session.send(canaries.make("what is said in a decoy"));
  await heard(session, text);
  await kindsOf(owner, socket, ["canary-key", "decoy"]);
  const { decoys } = await owner.get<{ decoys: { room: string }[] }>(`/v1/sockets/${socket.id}/decoys`);
  const records = () =>
    owner.get<{ records: { deed: string }[] }>(`/v1/sockets/${socket.id}/decoys/${decoys[0]?.room}`);
  const deeds = async () => (await records()).records.map(({ deed }) => deed);
  // Set-up polls outside of tests as well.
  const all = expect.arrayContaining(["tried", "accepted", "said"]);
  await vi.waitFor(async () => expect(await deeds()).toEqual(all), { timeout: 20_000 });
  await session.close();
}

async function heard(session: Session, text: string): Promise<void> {
  for await (const message of session) if (message.text() === text) return;
  throw new Error("the script was not heard");
}

async function kindsOf(owner: Owner, { id }: OwnedSocket, kinds: readonly string[]): Promise<void> {
  const listed = async () =>
    (await owner.get<{ alerts: { kind: string }[] }>(`/v1/sockets/${id}/alerts`)).alerts.map(({ kind }) => kind);
  await vi.waitFor(async () => expect(await listed()).toEqual(expect.arrayContaining([...kinds])), { timeout: 20_000 });
}
