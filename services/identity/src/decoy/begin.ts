import { begin, type HandshakeState, isPassable, needsOf, playable } from "@portcullis/policy";

/**
 * A handshake that is played. Where what is left of the policy asks for nothing that the member has, they have it here: otherwise whoever comes as a
 * member who is nobody would be told so.
 */
export function beginPlayed(beginning: Parameters<typeof begin>[0]): HandshakeState {
  const policy = playable(beginning.policy);
  const machine = begin({ ...beginning, policy });
  if (isPassable(machine)) return machine;
  const needs = needsOf(policy);
  const enrolled = (of: "member" | "socket", names: readonly string[]) => [
    ...new Set([...names, ...needs.flatMap((need) => (need.of === of ? [need.gate] : []))]),
  ];
  const { member, socketEnrolled } = beginning;
  return begin({
    ...beginning,
    policy,
    member: member === null ? null : { ...member, enrolled: enrolled("member", member.enrolled) },
    socketEnrolled: enrolled("socket", socketEnrolled),
  });
}
