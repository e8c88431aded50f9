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

/** Two members get in and talk, two impostors do not, one member is shown out; then the recording is searched. */
export async function play(parts: StoryParts): Promise<void> {
  const { folder, stage, children, narrator, outcome } = parts;
  const recordingFolder = join(folder, "recording");
  await mkdir(recordingFolder, { mode: 0o700 });
  const recorder = children.fork("recorder.ts", [`${stage.port}`, recordingFolder]);
  const world = await makeWorld(stage.owner, await portOf(recorder));
  narrator.heading("The owner makes a socket: secret path, app key, one-time code");
  narrator.say("Two members, each with an authenticator; a recorder between clients and edge writes down every byte.");

  const actor = (name: string) => createActor(name, children.fork("member.ts", []), narrator.frame);
  const alice = actor("alice");
  const bob = actor("bob");
  const inside = await membersGetIn(parts, world, alice, bob);
  await messageCrosses(parts, world, alice, bob);
  await impostorsStayOut(parts, world, actor("impostor"), actor("replayer"));
  await memberIsKicked(parts, world, bob, inside.bobSid);
  await alice.leave();

  await stopRecorder(recorder);
  narrator.heading("What somebody between client and edge has seen");
  const recording = await readRecording(recordingFolder);
  const found = searchFor(world.secrets(), recording);
  const control = searchFor([world.messageCanary], recording);
  outcome.recordedBytes = recording.reduce((sum, { raw }) => sum + raw.length, 0);
  outcome.canariesSought = world.secrets().length;
  outcome.canariesSeen = new Set(found.map(({ canary }) => canary)).size;
  outcome.canariesFound = found.map((one) => `${one.canary}, ${one.form}, ${one.connection}.${one.direction}`);
  // Sent masked by one client and delivered to the other: both have to be found, or one direction went unread.
  outcome.controlSeen = ["up", "down"].every((way) => control.some(({ direction }) => direction === way));
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
  narrator.heading("Alice and Bob pass the gates, each with the code that the phone shows");
  const first = await enter(alice, world, world.alice, null);
  const second = await enter(bob, world, world.bob, mode === "distributed" ? (first.accepted?.edge ?? null) : null);
  const accepted = [first.accepted, second.accepted].filter((one) => one !== null);
  outcome.verdict = accepted.length === 2 && accepted.every(({ memberBound }) => memberBound) ? "accept" : "deny";
  outcome.gates = accepted[0]?.gates ?? [];
  outcome.edges = accepted.map(({ edge }) => edge);
  if (first.accepted === null || second.accepted === null) throw new Error("not both members were let in");
  narrator.say(`Alice is on ${first.accepted.edge}, Bob on ${second.accepted.edge}.`);
  return { bobSid: second.accepted.sid };
}

/** @param avoidEdge gives up there before a code is spent, and comes again: the balancer takes edges in turn. */
async function enter(actor: Actor, world: World, member: DemoMember, avoidEdge: string | null): Promise<Attempt> {
  const url = world.urlFor(member.name);
  for (let triesLeft = edgeTriesMax; ; triesLeft -= 1) {
    const mayAvoid = triesLeft > 1;
    const attempt = await actor.join(url, world.appKey, ({ edge }) =>
      mayAvoid && edge === avoidEdge ? null : member.phone.show(),
    );
    if (attempt.refused?.code !== "cancelled") return attempt;
  }
}

async function messageCrosses(
  { narrator, outcome }: StoryParts,
  world: World,
  alice: Actor,
  bob: Actor,
): Promise<void> {
  narrator.heading("Alice says something, and Bob hears it");
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
  const wrong = await impostor.join(url, world.wrongKey, () => world.bob.phone.show());
  outcome.impostors.wrongKey = wrong.questions === 0 ? verdictOf(wrong) : "asked";

  narrator.heading("Another has the right key, and the code that Bob typed a moment ago");
  const code = world.bob.phone.shown.at(-1) ?? "";
  const replay = await replayer.join(url, world.appKey, () => code);
  // Refused at the code and not before, or this would show nothing about codes.
  outcome.impostors.replayedCode = replay.questions > 0 ? verdictOf(replay) : "not asked";
  const both = Object.values(outcome.impostors);
  outcome.impostor = both.every((verdict) => verdict === "deny") ? "deny" : both.join(", ");
}

function verdictOf({ accepted, refused }: Attempt): string {
  if (accepted !== null) return "accept";
  return refused?.code === "denied" ? "deny" : (refused?.code ?? "none");
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
