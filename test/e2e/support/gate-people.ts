import { randomInt } from "node:crypto";
import { expect } from "vitest";
import { makeMember, makeSocket, type OwnedSocket } from "./socket.ts";
import type { World } from "./world.ts";

export const outboxKey = "outbox-key-of-this-test-0123";
const soon = { timeout: 10_000 };

/** A member, and all that reaches them. */
export interface Bob {
  readonly socket: OwnedSocket;
  readonly email: string;
  readonly phone: string;
  /** Of their authenticator; each another one. */
  code(): string;
}

export interface People {
  /** A member with a contact of each kind and, where one is asked for, an authenticator, on a socket behind the key and these gates. */
  bobOn(gates: readonly object[], more?: object): Promise<Bob>;
  /** What was sent to a contact, once it was. */
  textTo(to: string): Promise<string>;
  /** The owner lets in whoever waits, by the number that they were told. */
  letIn(socket: OwnedSocket, number: string): Promise<void>;
}

/** @param world with this `outboxKey` as its OUTBOX_KEY */
export function peopleOf(world: () => World): People {
  return {
    async bobOn(gates, more = {}) {
      const socket = await makeSocket(world().owner, { gates: [{ gate: "key" }, ...gates], ...more });
      // Others each time: limits are of contacts.
      const contacts = { email: `bob-${randomInt(10 ** 9)}@example.com`, phone: `+49${randomInt(10 ** 9, 10 ** 10)}` };
      // An authenticator is asked for wherever one is enrolled.
      const hasApp = JSON.stringify([gates, more]).includes('"otp"');
      const url = `/v1/sockets/${socket.id}/members`;
      const app = hasApp ? await makeMember(world().owner, socket, "bob", contacts) : null;
      if (app === null) await world().owner.post(url, { name: "bob", contacts });
      let lastMs = 0;
      const code = () => {
        if (app === null) throw new Error("bob has no authenticator");
        lastMs = lastMs === 0 ? world().now() : app.nextStepMs(lastMs);
        return app.code(lastMs);
      };
      return { socket, ...contacts, code };
    },
    async textTo(to) {
      const headers = { authorization: `Bearer ${outboxKey}` };
      const find = async () => {
        const answer = await fetch(`${world().url}/v1/outbox?limit=100`, { headers });
        const { messages } = (await answer.json()) as { messages: { to: string; text: string }[] };
        return messages.find((message) => message.to === to)?.text ?? "";
      };
      await expect.poll(find, soon).not.toBe("");
      return find();
    },
    async letIn(socket, number) {
      const url = `/v1/sockets/${socket.id}/approvals`;
      const list = async () => (await world().owner.get<{ approvals: { id: string }[] }>(url)).approvals;
      await expect.poll(async () => (await list()).length, soon).toBe(1);
      const [first] = await list();
      await world().owner.post(`${url}/${first?.id}`, { decision: "approve", number });
    },
  };
}

/** Of as many digits, and another. */
export const wrong = (code: string) => code.replace(/\d/g, (digit) => (digit === "9" ? "1" : `${Number(digit) + 1}`));
