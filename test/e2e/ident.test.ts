import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { identOf, notRecognised, type Question, type Session, withPin } from "@portcullis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { at, sessionKeeper } from "./support/sessions.ts";
import { makeMember, makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

const cat = ["  /\\_/\\", " ( o.o )", "  > ^ <"].join("\n");
const keeper = sessionKeeper();
let world: World;
let dataDir: string;
const traffic: Uint8Array[] = [];
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "portcullis-ident-"));
  world = await startWorld({ replicas: true, dataDir, onTraffic: (data) => void traffic.push(data) });
});
afterEach(() => keeper.closeAll());
afterAll(async () => {
  await world.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function socketWith(...gates: object[]) {
  const socket = await makeSocket(world.owner, { gates: [{ gate: "key" }, ...gates] });
  const phone = await makeMember(world.owner, socket, "bob");
  return { socket, otp: () => phone.code(world.now()) };
}

/** As the member does it, by a token from the owner. */
async function setSign(socket: OwnedSocket, art: string): Promise<number> {
  const { token } = await world.owner.post<{ token: string }>(`/v1/sockets/${socket.id}/members/bob/sign/invitation`);
  const headers = { "content-type": "application/json" };
  return (await fetch(`${world.url}/v1/signs`, { method: "POST", headers, body: JSON.stringify({ token, art }) }))
    .status;
}
const bob = (socket: OwnedSocket) => `${socket.url}?id=bob`;

describe("a member's sign", () => {
  test("is shown behind their own gate, agreed to, and opens the way; before that only the words of the key are there", async () => {
    const { socket, otp } = await socketWith({ gate: "ident" }, { gate: "otp" }, { gate: "ident" });
    expect(await setSign(socket, cat)).toBe(200);
    const seen: (string | null)[] = [];
    const agree = (question: Question) => {
      seen.push(identOf(question.details).sign);
      expect(question.server.words.split(" ")).toHaveLength(6);
      expect(question.server.randomart).toHaveLength(9);
      return "agree";
    };
    const session = await keeper.connect(bob(socket), { appKey: socket.appKey, answers: { otp, ident: agree } });
    expect(seen).toEqual([null, cat]);
    expect(session.gates).toEqual(["key", "ident", "otp"]);
    expect(session.assurance.gates).toEqual(["otp"]);
    const wire = Buffer.concat(traffic).toString("latin1");
    expect(wire.length).toBeGreaterThan(1000);
    for (const line of cat.split("\n")) expect(wire).not.toContain(line);
    expect(world.logs.join("")).not.toContain("o.o");
  });

  test("that a terminal would obey or that looks like another is refused by the API", async () => {
    const { socket } = await socketWith({ gate: "otp" });
    expect(await setSign(socket, "\u001b]0;owned\u0007cats")).toBe(400);
    expect(await setSign(socket, "c\u0430ts cats")).toBe(400);
  });

  test("is picked among others; what stands in the wrong place is a failed attempt", async () => {
    const { socket, otp } = await socketWith({ gate: "otp" }, { gate: "ident", ask: "pick" });
    await setSign(socket, cat);
    const lineups: string[][] = [];
    const enter = (choose: (own: number) => number, appKey = socket.appKey) =>
      keeper.connect(bob(socket), {
        appKey,
        answers: {
          otp,
          ident: ({ details }) => {
            const { signs } = identOf(details);
            lineups.push([...signs]);
            return `${choose(signs.indexOf(cat) + 1)}`;
          },
        },
      });
    const session = await enter((own) => own);
    expect(session.gates).toEqual(["key", "otp", "ident"]);
    expect(session.assurance).toEqual({ key: true, memberBound: true, gates: ["otp"] });
    await session.close();
    world.advance(30_000);
    await world.fresh();
    await expect(enter((own) => (own % 5) + 1)).rejects.toMatchObject({ code: "denied" });
    // Three attempts, all with the same five.
    expect(lineups).toHaveLength(4);
    for (const signs of lineups) expect(signs.toSorted()).toEqual(lineups[0]?.toSorted());
  });
});

describe("the words of the server", () => {
  test("are typed as somebody has them from elsewhere, on whichever edge", async () => {
    const { socket, otp } = await socketWith({ gate: "ident", ask: "type" }, { gate: "otp" });
    for (const edge of world.edges) {
      const session = await keeper.connect(at(edge, bob(socket)), {
        appKey: socket.appKey,
        answers: { otp, ident: ({ server }) => server.words },
      });
      expect(session.gates).toContain("ident");
      await session.close();
      world.advance(30_000);
      await world.fresh();
    }
  });

  test("of another server let nobody on, and nothing is sent for them", async () => {
    const { socket, otp } = await socketWith({ gate: "ident", ask: "type" }, { gate: "otp" });
    let asked = 0;
    const ident = () => {
      asked += 1;
      return "abandon abandon abandon abandon abandon abandon";
    };
    const entering = keeper.connect(bob(socket), { appKey: socket.appKey, answers: { otp, ident } });
    await expect(entering).rejects.toMatchObject({ code: "not-recognised" });
    expect(asked).toBe(3);
  });
});

test("who does not recognise the server leaves, and nobody who says so lets them in", async () => {
  const { socket, otp } = await socketWith({ gate: "otp" }, { gate: "ident" });
  const ident = (): typeof notRecognised => notRecognised;
  const answers = { otp, ident };
  await expect(keeper.connect(bob(socket), { appKey: socket.appKey, answers })).rejects.toMatchObject({
    code: "not-recognised",
  });
  const kinds = async () =>
    (await world.owner.get<{ alerts: { kind: string }[] }>(`/v1/sockets/${socket.id}/alerts`)).alerts.map(
      ({ kind }) => kind,
    );
  await expect.poll(kinds).toEqual(["not-recognised"]);
  const { sessions } = await world.owner.get<{ sessions: unknown[] }>(`/v1/sockets/${socket.id}/sessions`);
  expect(sessions).toEqual([]);
});

test("a session has six words, others each time, and the owner reads the same", async () => {
  const { socket, otp } = await socketWith({ gate: "otp" });
  const seen = new Set<string>();
  for (let times = 0; times < 2; times += 1) {
    const session: Session = await keeper.connect(bob(socket), { appKey: socket.appKey, answers: { otp } });
    expect(session.words).toMatch(/^([a-z]+ ){5}[a-z]+$/);
    seen.add(session.words);
    const { sessions } = await world.owner.get<{ sessions: object[] }>(`/v1/sockets/${socket.id}/sessions`);
    expect(sessions).toMatchObject([{ words: session.words }]);
    await session.close();
    world.advance(30_000);
    await world.fresh();
  }
  expect(seen.size).toBe(2);
});

describe("another identity key", () => {
  const run = promisify(execFile);
  const rotate = (...args: string[]) => {
    const file = join(import.meta.dirname, "../../services/keys/src/rotate.ts");
    return run(process.execPath, [file, "--data", dataDir, ...args]);
  };
  /** Until every edge shows bundles of the key that is now. */
  const settled = async () => {
    world.advance(95_000);
    await world.fresh();
  };

  test("is followed by who pins the one before, told to them, pinned by new app keys, and not left for the old one", async () => {
    const { socket, otp } = await socketWith({ gate: "otp" });
    const before = socket.appKey.split(".").at(-1) ?? "";
    const early = await keeper.connect(bob(socket), { appKey: socket.appKey, answers: { otp } });
    expect(early.server).toMatchObject({ fingerprint: before, successorOf: null });
    const { stdout } = await rotate("--overlap-days", "7");
    const now = /^now {4}(\S+)$/m.exec(stdout)?.[1] ?? "";
    await settled();
    const servers: string[] = [];
    for (const edge of world.edges) {
      const session = await keeper.connect(at(edge, bob(socket)), {
        appKey: socket.appKey,
        answers: { otp },
        onServer: ({ fingerprint }) => void servers.push(fingerprint),
      });
      expect(session.server).toMatchObject({ fingerprint: now, successorOf: before, pinned: true });
      world.advance(30_000);
      await world.fresh();
    }
    expect(servers).toEqual([now, now]);
    const moved = await keeper.connect(bob(socket), { appKey: withPin(socket.appKey, now), answers: { otp } });
    expect(moved.server.successorOf).toBe(null);
    const { key } = await world.owner.post<{ key: string }>(`/v1/sockets/${socket.id}/keys`, { label: "new" });
    expect(key.split(".").at(-1)).toBe(now);

    // The next one may be in other hands: nobody is led on, not even from here.
    await rotate("--compromised");
    await settled();
    for (const appKey of [socket.appKey, key])
      await expect(keeper.connect(bob(socket), { appKey, answers: { otp } })).rejects.toMatchObject({
        code: "untrusted-server",
      });
    const { fingerprint } = await world.owner.get<{ fingerprint: string }>("/v1/server");
    world.advance(30_000);
    await world.fresh();
    const again = await keeper.connect(bob(socket), { appKey: withPin(key, fingerprint), answers: { otp } });
    expect(again.server.fingerprint).toBe(fingerprint);
  });
});

test("no sign lies in any file in the clear", async () => {
  const { socket } = await socketWith({ gate: "otp" });
  await setSign(socket, "planted-sign-4711");
  const files = (await readdir(dataDir)).filter((name) => name.startsWith("portcullis.sqlite"));
  expect(files.length).toBeGreaterThan(0);
  for (const name of files) expect((await readFile(join(dataDir, name))).includes("planted-sign")).toBe(false);
});
