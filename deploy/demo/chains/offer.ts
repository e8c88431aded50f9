import { type Chain, show } from "./chain.ts";
import { enter, refusalOf } from "./client.ts";
import { makeMember, makeSocket } from "./owned.ts";

const deadline = "10s";

/** The user offers credentials and parameters without being asked; nothing tells whether an offer was nearly enough. */
export const offer: Chain = {
  about: "credentials and parameters unprompted, statement by statement; silence to what is not enough",
  async play({ stage, sniffer, narrator, findings }) {
    narrator.heading("The owner makes a socket that asks for nothing: key and one-time code have to be offered");
    const policy = { mode: "offered", gates: [{ gate: "key" }, { gate: "otp" }], deadlines: { handshake: deadline } };
    const socket = await makeSocket(stage, policy);
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
    const { sessions } = await stage.owner.get<{ sessions: readonly Listed[] }>(`/v1/sockets/${socket.id}/sessions`);
    const listed = sessions.find(({ sid }) => sid === session.sid);
    const isTold =
      listed?.context.rest === "rooms/blue" &&
      new URLSearchParams(listed.context.query).get("room") === "2" &&
      listed.parameters.theme === "dark";
    show(findings, "the owner's side has the rest of the path, the query and the parameters", isTold);
    await session.close();

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

interface Listed {
  readonly sid: string;
  readonly context: { readonly rest: string; readonly query: string };
  readonly parameters: Readonly<Record<string, string>>;
}

function wrong(code: string): string {
  return code === "111111" ? "222222" : "111111";
}
