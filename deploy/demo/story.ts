import type { ChildProcess } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Actor, type Attempt, createActor } from "./actor.ts";
import { searchFor } from "./canaries.ts";
import type { Children } from "./children.ts";
import type { Narrator } from "./narrator.ts";
import type { Outcome } from "./outcome.ts";
import { readRecording } from "./recording.ts";
import type { Mode, Stage } from "./stage.ts";
import { type DemoMember, makeWorld, type World } from "./world.ts";

export interface StoryParts {
  readonly mode: Mode;
  readonly folder: string;
  readonly stage: Stage;
  readonly children: Children;
  readonly narrator: Narrator;
  /** Filled as the story goes on, so that one which breaks off says how far it came. */
  readonly outcome: Outcome;
}

const edgeTriesMax = 6;

/** Two members get in and talk, two impostors do not, connections break, one member is shown out; then the recording is searched. */
export async function play(parts: StoryParts): Promise<void> {
  const { folder, stage, children, narrator, outcome } = parts;
  const recordingFolder = join(folder, "recording");
  await mkdir(recordingFolder, { mode: 0o700 });
  const recorder = children.fork("recorder.ts", [`${stage.port}`, recordingFolder, ...(stage.tls ? ["tls"] : [])]);
  const recorderPort = await portOf(recorder);
  const world = await makeWorld(stage, recorderPort, true);
  narrator.heading(
    "The owner makes a socket: secret path, app key, one-time code, a message to confirm, a question; messages sealed",
  );
  narrator.say("Two members; a recorder between clients and edge writes down every byte.");

  const actor = (name: string) => createActor(name, children.fork("member.ts", []), narrator.frame);
  const alice = actor("alice");
  const bob = actor("bob");
  const inside = await membersGetIn(parts, world, alice, bob);
  await messageCrosses(parts, world, alice, bob);
  await impostorsStayOut(parts, world, actor("impostor"), actor("replayer"));
  await connectionsBreak(parts, recorder, alice, bob);
  await memberIsKicked(parts, world, bob, inside.bobSid);
  await alice.leave();
  const control = await sameInTheOpen(parts, await makeWorld(stage, recorderPort, false), actor);

  await stopRecorder(recorder);
  narrator.heading("What somebody between client and edge has seen");
  const recording = await readRecording(recordingFolder);
  const secrets = [...world.secrets(), ...control.secrets(), world.messageCanary];
  const found = searchFor(secrets, recording);
  const seen = searchFor([control.messageCanary], recording);
  outcome.recordedBytes = recording.reduce((sum, { raw }) => sum + raw.length, 0);
  outcome.canariesSought = secrets.length;
  outcome.canariesSeen = new Set(found.map(({ canary }) => canary)).size;
  outcome.canariesFound = found.map((one) => `${one.canary}, ${one.form}, ${one.connection}.${one.direction}`);
  // Sent masked by one client and delivered to the other: both have to be found, or one direction went unread.
  outcome.controlSeen = ["up", "down"].every((way) => seen.some(({ direction }) => direction === way));
  narrator.say(
    `${recording.length} streams, ${outcome.recordedBytes} bytes, searched raw, unmasked, as hex and as base64.`,
  );
}

async function membersGetIn(
  { mode, narrator, outcome }: StoryParts,
  world: World,
  alice: Actor,
  bob: Actor,
): Promise<{ bobSid: string }> {
  narrator.heading("Alice passes the gates; while her socket waits, she confirms by the link in a mail");
  const first = await enter(alice, world, world.alice, "link", null);
  narrator.heading("Bob does too, with the code of a text message");
  const avoid = mode !== "embedded" ? (first.accepted?.edge ?? null) : null;
  const second = await enter(bob, world, world.bob, "code", avoid);
  const accepted = [first.accepted, second.accepted].filter((one) => one !== null);
  const areBoth = accepted.length === 2 && accepted.every(({ memberBound }) => memberBound);
  const areSealed = accepted.every(({ messagesSealed }) => messagesSealed);
  outcome.verdict = areBoth ? (areSealed ? "accept" : "accept, unsealed") : "deny";
  outcome.gates = accepted.map(({ gates }) => gates.join(" "));
  outcome.edges = accepted.map(({ edge }) => edge);
  if (first.accepted === null || second.accepted === null) throw new Error("not both members were let in");
  narrator.say(`Alice is on ${first.accepted.edge}, Bob on ${second.accepted.edge}.`);
  return { bobSid: second.accepted.sid };
}

/** @param avoidEdge gives up there before a code is spent, and comes again: the balancer takes edges in turn. */
async function enter(
  actor: Actor,
  world: World,
  member: DemoMember,
  by: "link" | "code",
  avoidEdge: string | null,
): Promise<Attempt> {
  const url = world.urlFor(member.name);
  const { answerSecret, inbox, phone } = member;
  for (let triesLeft = edgeTriesMax; ; triesLeft -= 1) {
    const mayAvoid = triesLeft > 1;
    const attempt = await actor.join(url, world.appKey, {
      answerSecret,
      by,
      answer: ({ gate, edge }) => {
        if (mayAvoid && edge === avoidEdge) return null;
        return gate === "sms" ? inbox.code() : phone.show();
      },
      confirm: inbox.confirm,
    });
    if (attempt.refused?.code !== "cancelled") return attempt;
  }
}

async function messageCrosses(
  { narrator, outcome }: StoryParts,
  world: World,
  alice: Actor,
  bob: Actor,
): Promise<void> {
  narrator.heading("Alice says something; her client seals it, and Bob hears it");
  await alice.say(world.messageCanary.text);
  const { member, text } = await bob.next("message");
  outcome.delivered = member === "alice" && text === world.messageCanary.text;
}

async function impostorsStayOut(
  { narrator, outcome }: StoryParts,
  world: World,
  impostor: Actor,
  replayer: Actor,
): Promise<void> {
  const url = world.urlFor("bob");
  narrator.heading("An impostor says to be Bob, with a key that looks right and is not");
  // Refused before any gate: an impostor who was asked for a code has proven a key that they do not have.
  const { answerSecret, inbox, phone } = world.bob;
  const as = { answerSecret, by: "code" as const, confirm: inbox.confirm };
  const wrong = await impostor.join(url, world.wrongKey, { ...as, answer: () => phone.show() });
  outcome.impostors.wrongKey = wrong.questions === 0 ? verdictOf(wrong) : "asked";

  narrator.heading("Another has the right key, and the code that Bob typed a moment ago");
  const code = phone.shown.at(-1) ?? "";
  const replay = await replayer.join(url, world.appKey, { ...as, answer: () => code });
  // Refused at the code and not before, or this would show nothing about codes.
  outcome.impostors.replayedCode = replay.questions > 0 ? verdictOf(replay) : "not asked";
  const both = Object.values(outcome.impostors);
  outcome.impostor = both.every((verdict) => verdict === "deny") ? "deny" : both.join(", ");
}

function verdictOf({ accepted, refused }: Attempt): string {
  if (accepted !== null) return "accept";
  return refused?.code === "denied" ? "deny" : (refused?.code ?? "none");
}

async function connectionsBreak(
  { narrator, outcome }: StoryParts,
  recorder: ChildProcess,
  alice: Actor,
  bob: Actor,
): Promise<void> {
  narrator.heading("Every connection breaks; the sessions go on over others, through no gate again");
  recorder.send("break");
  await Promise.all([alice, bob].map((actor) => actor.next("lost")));
  await Promise.all([alice.say("is anybody still there?"), alice.next("resumed"), bob.next("resumed")]);
  const { member, text } = await bob.next("message");
  outcome.resumed = member === "alice" && text === "is anybody still there?";
}

/** So that what was searched for and not found is known to be findable. */
async function sameInTheOpen(
  { narrator, outcome }: StoryParts,
  world: World,
  actor: (name: string) => Actor,
): Promise<World> {
  narrator.heading("The same chain once more, on a socket that does not seal messages: this one must be seen");
  const [alice, bob] = [actor("alice"), actor("bob")];
  const first = await enter(alice, world, world.alice, "link", null);
  const second = await enter(bob, world, world.bob, "code", null);
  await alice.say(world.messageCanary.text);
  const { text } = await bob.next("message");
  const areOpen = [first, second].every(({ accepted }) => accepted?.messagesSealed === false);
  outcome.control = areOpen && text === world.messageCanary.text;
  await Promise.all([alice.leave(), bob.leave()]);
  return world;
}

async function memberIsKicked(
  { stage, narrator, outcome }: StoryParts,
  world: World,
  bob: Actor,
  bobSid: string,
): Promise<void> {
  narrator.heading("The owner shows Bob out");
  const sessions = `/v1/sockets/${world.socketId}/sessions`;
  await stage.owner.delete(`${sessions}/${bobSid}`);
  const { reason, what, sealed } = await bob.next("ended");
  const stillSpeaks = await bob.say("one more thing");
  const { sessions: live } = await stage.owner.get<{ sessions: { sid: string }[] }>(sessions);
  const isListed = live.some(({ sid }) => sid === bobSid);
  outcome.kicked = reason === "revoked" && what === "kicked" && sealed && !stillSpeaks && !isListed;
}

function portOf(recorder: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    recorder.once("message", (message) => resolve((message as { readonly port: number }).port));
    recorder.once("exit", () => reject(new Error("the recorder ended before it listened")));
  });
}

async function stopRecorder(recorder: ChildProcess): Promise<void> {
  if (recorder.exitCode !== null || recorder.signalCode !== null) throw new Error("the recorder did not hold out");
  const gone = new Promise((resolve) => recorder.once("exit", resolve));
  recorder.disconnect();
  await gone;
}
