import { connectConsumer } from "@portcullis/client";
import type { Stage } from "../stage.ts";
import { type Chain, show } from "./chain.ts";
import { enter, hear, refusalOf } from "./client.ts";
import { makeMember, makeSocket, type OwnedSocket } from "./owned.ts";

const deadline = "10s";

/** The user offers credentials and parameters without being asked; nothing tells whether an offer was nearly enough. */
export const offer: Chain = {
  about: "credentials and parameters unprompted, statement by statement; silence to what is not enough",
  async play({ stage, sniffer, narrator, findings }) {
    narrator.heading("The owner makes a socket that asks for nothing: key and one-time code have to be offered");
    const socket = await makeSocket(stage, {
      mode: "offered",
      gates: [{ gate: "key" }, { gate: "otp" }],
      deadlines: { handshake: deadline },
      encryption: { session: "required" },
      messaging: { mode: "consumer" },
    });
    const program = await startProgram(stage, socket, sniffer.through(socket.url));
    const bob = await makeMember(stage, socket, "bob", { authenticator: true });
    const as = (who: string, offered: readonly string[], rest = "") => ({
      who,
      url: sniffer.through(`${socket.url}${rest}?id=bob&room=2`),
      narrator,
      options: {
        appKey: socket.appKey,
        parameters: { app: "demo", theme: "dark" },
        offer: async function* () {
          for (const value of offered) yield [{ gate: "otp", value }];
        },
      },
    });

    narrator.heading("Bob says it in two statements: the first is wrong and gets no answer, the second is right");
    const session = await enter(as("bob", [wrong(bob.code()), bob.code()], "/rooms/blue"));
    findings.gates = session.gates;
    show(findings, "the second statement lets him in", session.gates.join(" ") === "key otp");
    await session.send("Which room is this?");
    const from = await program.heard;
    const isTold =
      from.member === "bob" &&
      from.memberProven &&
      from.context.rest === "rooms/blue" &&
      new URLSearchParams(from.context.query).get("room") === "2" &&
      from.parameters.theme === "dark";
    show(findings, "the owner's program hears who speaks, the rest of the path, the query and the parameters", isTold);
    show(findings, "and answers him alone", (await hear(session)) === "blue 2 dark");
    await session.close();
    await program.stop();

    narrator.heading(`Somebody with the key and wrong codes, and somebody who says nothing: silence for ${deadline}`);
    const startedMs = performance.now();
    const [guesser, mute] = await Promise.all([
      refusalOf(as("guesser", [wrong(bob.code())])),
      refusalOf(as("mute", [])),
    ]);
    const tookMs = performance.now() - startedMs;
    show(
      findings,
      `both hear nothing until their time is over (${guesser}, ${mute})`,
      guesser === mute && tookMs > 9_000,
    );

    const seen = await sniffer.seen([...socket.canaries, ...bob.canaries()]);
    show(findings, "a sniffer has seen none of what was offered", seen.size === 0);
  },
};

/** The owner's own program behind the socket, with a key of its own. */
async function startProgram(stage: Stage, { id }: OwnedSocket, url: string) {
  const made = await stage.owner.post<{ key: string }>(`/v1/sockets/${id}/keys`, {
    label: "program",
    role: "consumer",
  });
  const session = await connectConsumer(url, { appKey: made.key });
  const answer = async () => {
    for await (const message of session) {
      const { context, parameters } = message.from;
      const room = new URLSearchParams(context.query).get("room");
      await message.reply([context.rest.split("/")[1], room, parameters.theme].join(" "));
      return message.from;
    }
    throw new Error("the owner's program heard nothing");
  };
  const heard = answer();
  // Waited for where it is wanted.
  heard.catch(() => undefined);
  return { heard, stop: () => session.close() };
}

function wrong(code: string): string {
  return code === "111111" ? "222222" : "111111";
}
