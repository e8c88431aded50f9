import { ServiceError } from "@portcullis/contracts";
import { authenticatorsOf, begin, gatesOfRule, stepUpPolicy } from "@portcullis/policy";
import type { EngineContext } from "../handshake/context.ts";
import { type Handshake, placeOf } from "../handshake/store.ts";
import type { Session } from "../sessions/session.ts";

/** A step-up before its first event: the rule's gates, and whoever is in the session. */
export async function stepUpHandshake(
  { store, clock }: Pick<EngineContext, "store" | "clock">,
  session: Session,
  rule: number,
  { id, transcript }: { readonly id: string; readonly transcript: Uint8Array },
): Promise<Handshake> {
  const { sid, hid, socketId, memberId, keyId, terms } = session;
  const asked = terms.during?.rules[rule];
  const socket = await store.sockets.get(socketId);
  const member = memberId === null ? null : await store.members.get(memberId);
  if (socket === null || terms.during === null || asked === undefined) throw new ServiceError("not_found");
  const names = new Set<string>(gatesOfRule(asked).map(({ gate }) => gate));
  // What is enrolled and not asked for is not asked for: the rule says what its owner wants to know.
  const enrolledOf = (enrolments: Readonly<Record<string, string>>) =>
    Object.keys(enrolments).filter((gate) => names.has(gate));
  const now = clock();
  const machine = begin({
    policy: stepUpPolicy(terms.during, rule),
    keyId,
    member: member === null ? null : { id: member.id, enrolled: enrolledOf(member.body.enrolments) },
    socketEnrolled: enrolledOf(socket.body.enrolments),
    // Where they are by now nobody here knows: a branch for a network or a risk is decided as for one that nobody knows.
    circumstances: { member: member?.body.name ?? null },
    now,
  });
  const added = authenticatorsOf(machine).flatMap(({ gate, of }) => {
    const found = of === "member" ? member?.body.enrolments[gate] : socket.body.enrolments[gate];
    return found === undefined ? [] : [{ gate, of, id: found }];
  });
  return {
    machine,
    stepUp: { id, sid, rule, forMs: asked.on === "message" ? asked.forMs : null, said: 0 },
    socketId,
    room: session.room,
    label: socket.body.label,
    memberId,
    member: session.member,
    keyId,
    role: session.role,
    context: session.context,
    parameters: session.parameters,
    // The session's own among them: who came in with what was removed since is not asked on.
    enrolments: [...session.enrolments, ...added],
    policyHash: session.policyHash,
    sessionMs: 0,
    terms,
    startedAtMs: now,
    ...placeOf(hid, transcript),
    network: session.network,
    takenAtMs: now,
    pending: [],
    beginning: null,
    resending: null,
    unasked: null,
    wait: null,
    counted: { exempt: false, known: session.memberId !== null, usedWork: false },
    charges: [],
    hold: null,
    n: 0,
    given: "",
    outcome: null,
    standing: null,
    pushes: 0,
  };
}
