import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { signIn, signUp } from "./owner.ts";

/** What the first run made, kept for whoever has the data folder: `demo.json`, readable by its owner only. */
export interface Demo {
  readonly owner: { readonly email: string; readonly password: string };
  readonly socket: { readonly url: string; readonly appKey: string };
  readonly member: { readonly name: string; readonly otpauth: string };
}

const demoFile = (dataDir: string) => join(dataDir, "demo.json");
const pictureFile = (dataDir: string) => join(dataDir, "demo-authenticator.svg");

export async function readDemo(dataDir: string): Promise<Demo | null> {
  try {
    return JSON.parse(await readFile(demoFile(dataDir), "utf8")) as Demo;
  } catch {
    return null;
  }
}

/** Made through the API like anything else, so that the first run is also the first proof that it works. */
export async function makeDemo(url: string, dataDir: string, bootstrapToken: string, origin = url): Promise<Demo> {
  const owner = { email: "demo@portcullis.localhost", password: randomBytes(18).toString("base64url") };
  await signUp(url, owner, bootstrapToken, origin);
  const session = await signIn(url, owner, origin);
  const socket = await session.post<{ id: string; url: string }>("/v1/sockets", {
    label: "demo",
    policy: { gates: [{ gate: "key" }, { gate: "otp" }] },
  });
  const { key } = await session.post<{ key: string }>(`/v1/sockets/${socket.id}/keys`, { label: "first run" });
  const name = "bob";
  await session.post(`/v1/sockets/${socket.id}/members`, { name });
  const { uri, qrSvg } = await session.post<{ uri: string; qrSvg: string }>(
    `/v1/sockets/${socket.id}/members/${name}/authenticator`,
  );
  const demo: Demo = {
    owner,
    socket: { url: `${socket.url}?id=${name}`, appKey: key },
    member: { name, otpauth: uri },
  };
  await writeFile(pictureFile(dataDir), qrSvg, { mode: 0o600 });
  await writeFile(demoFile(dataDir), `${JSON.stringify(demo, null, 2)}\n`, { mode: 0o600 });
  return demo;
}

export function describeDemo(demo: Demo, dataDir: string, isNew: boolean): string {
  return [
    isNew ? "A demo owner and a demo socket were made:" : "The demo owner and socket of the first run:",
    `  owner     ${demo.owner.email}`,
    `  password  ${demo.owner.password}`,
    `  socket    ${demo.socket.url}`,
    `  app key   ${demo.socket.appKey}`,
    `  member    ${demo.member.name}: scan ${pictureFile(dataDir)} with an authenticator app`,
    `  (kept in ${demoFile(dataDir)}, which only you can read)`,
  ].join("\n");
}

/** Where there is no demo, and nobody who could sign in. */
export function describeNobody(url: string, bootstrapToken: string): string {
  return [
    `The first owner signs up with this bootstrap token: ${bootstrapToken}`,
    `  npm run portcullis -- owner sign-up --url ${url}`,
  ].join("\n");
}
