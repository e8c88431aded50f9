import type { World } from "../../e2e/support/world.ts";

/** Public names of the sessions that the server has on a socket now. */
export async function liveSessions(world: World, socketId: string): Promise<string[]> {
  const { sessions } = await world.owner.get<{ sessions: { sid: string }[] }>(`/v1/sockets/${socketId}/sessions`);
  return sessions.map(({ sid }) => sid);
}

/** How often somebody was let in, by the server's own account. */
export function acceptsIn(world: World): number {
  return world.logs.filter((line) => line.includes('"verdict":"accept"')).length;
}
