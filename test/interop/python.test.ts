import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { recordTypes } from "@portcullis/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { passOn, type Relay, startRelay } from "../attack/support/relay.ts";
import { read, sessionKeeper } from "../e2e/support/sessions.ts";
import { keyOnly, makeMember, makeSocket, type OwnedSocket } from "../e2e/support/socket.ts";
import { startWorld, type World } from "../e2e/support/world.ts";
import { findPython } from "./environment.ts";
import { type Player, startPlayer } from "./player.ts";

const found = await findPython();
const python = "python" in found ? found.python : null;
if ("missing" in found) console.warn(`the Python client is not tried: ${found.missing}`);

const gates = [{ gate: "key" }, { gate: "otp" }, { gate: "question" }];
const sealed = { gates, resume: "30s", encryption: { session: "required" } };

describe.skipIf(python === null)("a client that was written from the document alone, in Python", () => {
  const keeper = sessionKeeper();
  const players: Player[] = [];
  let world: World;
  let relay: Relay;
  beforeAll(async () => {
    world = await startWorld({ env: { TICK_INTERVAL: "300ms" } });
    relay = await startRelay(world.edges[0] ?? "");
  });
  afterEach(async () => {
    relay.tamper = passOn;
    for (const player of players.splice(0)) player.stop();
    await keeper.closeAll();
  });
  afterAll(async () => {
    await relay?.close();
    await world?.close();
  });

  function play(): Player {
    const player = startPlayer(python ?? "");
    players.push(player);
    return player;
  }

  /** How a new member of the socket connects with it. */
  async function entrance(socket: OwnedSocket, name: string) {
    const phone = await makeMember(world.owner, socket, name);
    const member = `/v1/sockets/${socket.id}/members/${name}`;
    const { secret: question } = await world.owner.post<{ secret: string }>(`${member}/answer-secret`);
    const url = `${socket.url}?id=${name}`;
    return { phone, connect: { do: "connect" as const, url, key: socket.appKey, otp: phone.secret.text, question } };
  }

  /** A member with the SDK, on the same socket. */
  async function someoneElse(socket: OwnedSocket, name = "ann") {
    const { phone, connect } = await entrance(socket, name);
    const otp = () => phone.code(world.now());
    return keeper.connect(connect.url, {
      appKey: socket.appKey,
      answers: { otp },
      answerSecret: connect.question,
    });
  }

  const hear = (player: Player, count: number, seconds = 10) => player.do({ do: "receive", count, seconds });
  const bodies = async (player: Player, count: number) => (await hear(player, count)).messages.map(({ body }) => body);

  test("agrees with every vector", async () => {
    const { stderr } = await promisify(execFile)(python ?? "", ["-B", "-m", "unittest"], { cwd: import.meta.dirname });
    expect(stderr).toMatch(/Ran [1-9]\d tests.*\n\nOK\n$/s);
  });

  test.each(["647a", "0020"])(
    "passes key, code and question under suite %s, and speaks with the SDK, sealed",
    async (suite) => {
      const socket = await makeSocket(world.owner, sealed);
      const [player, { connect }] = [play(), await entrance(socket, "bob")];
      const state = await player.do({ ...connect, suites: [suite] });
      expect(state).toMatchObject({
        member: "bob",
        gates: ["key", "otp", "question"],
        assurance: { key: true, memberBound: true, gates: ["otp", "question"] },
        sealed: true,
        receipt: true,
        suite,
      });
      // The owner sees the same six words, so nobody sits in between.
      const { sessions } = await world.owner.get<{ sessions: object[] }>(`/v1/sockets/${socket.id}/sessions`);
      expect(sessions).toMatchObject([{ sid: state.sid, words: state.words }]);
      const ann = await someoneElse(socket);
      await ann.send("from TypeScript");
      expect((await hear(player, 1)).messages).toMatchObject([
        { member: "ann", sid: ann.sid, body: "from TypeScript" },
      ]);
      await player.do({ do: "send", body: "from Python" });
      const [message] = await read(ann, 1);
      expect(message).toBe("from Python");
    },
  );
});
