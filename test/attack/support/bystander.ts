import { connect, type Session } from "@portcullis/client";
import { makeMember, makeSocket } from "../../e2e/support/socket.ts";
import type { World } from "../../e2e/support/world.ts";

/** Two members on a socket of their own, who talk to each other while others are attacked. */
export interface Bystanders {
  /** @throws when a message does not arrive at both, either connection was closed, or the server says that it is not ready */
  undisturbed(): Promise<void>;
  leave(): Promise<void>;
}

const patienceMs = 5_000;

export async function startBystanders(world: World): Promise<Bystanders> {
  const socket = await makeSocket(world.owner);
  const join = async (name: string): Promise<Session> => {
    const phone = await makeMember(world.owner, socket, name);
    const answers = { otp: () => phone.code(world.now()) };
    return connect(`${socket.url}?id=${name}`, { appKey: socket.appKey, answers, echo: true });
  };
  const sessions = [await join("uninvolved-1"), await join("uninvolved-2")] as const;
  const readers = sessions.map((session) => session[Symbol.asyncIterator]());
  const fail = (why: string): never => {
    throw new Error(`bystanders were disturbed: ${why}`);
  };
  let closed: number | null = null;
  for (const session of sessions) {
    void session.closed.then(({ code }) => {
      closed = code;
    });
  }
  let said = 0;

  return {
    async undisturbed() {
      said += 1;
      const text = `still here ${said}`;
      await sessions[said % 2]?.send(text);
      const heard = Promise.all(readers.map(async (reader) => (await reader.next()).value?.text()));
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(() => late.reject(new Error("bystanders were disturbed: no message")), patienceMs);
      const texts = await Promise.race([heard, late.promise]).finally(() => clearTimeout(timer));
      if (texts.some((each) => each !== text)) fail(`heard ${JSON.stringify(texts)}`);
      if (closed !== null) fail(`closed with ${closed}`);
      const ready = await fetch(`${world.url}/readyz`);
      if (ready.status !== 200) fail(`/readyz says ${ready.status}`);
    },
    async leave() {
      await Promise.all(sessions.map((session) => session.close()));
    },
  };
}
