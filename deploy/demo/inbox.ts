import { setTimeout as sleep } from "node:timers/promises";
import type { Stage } from "./stage.ts";

/** The mail and text messages of a member, as somebody reads them who is not the client that waits. */
export interface Inbox {
  /** Opens the link of the newest mail, types the number there, and sends it off. @throws {Error} the page did not take it */
  confirm(number: string): Promise<void>;
  /** The code of the newest text message. */
  code(): Promise<string>;
  /** The code of the newest mail. */
  mailedCode(): Promise<string>;
  /** Codes and links that came. */
  readonly secrets: readonly string[];
}

const waitMsMax = 15_000;

export function openInbox(stage: Stage, { email, phone }: { readonly email: string; readonly phone: string }): Inbox {
  const secrets: string[] = [];

  /** @param pattern whose first group is the secret */
  async function find(to: string, pattern: RegExp): Promise<RegExpExecArray> {
    const untilMs = Date.now() + waitMsMax;
    for (;;) {
      for (const message of await stage.outbox()) {
        const found = message.to === to ? pattern.exec(message.text) : null;
        if (found?.[1] === undefined) continue;
        secrets.push(found[1]);
        return found;
      }
      if (Date.now() > untilMs) throw new Error(`no message came within ${waitMsMax / 1_000} s`);
      await sleep(50);
    }
  }

  async function codeTo(contact: string): Promise<string> {
    const [, code = ""] = await find(contact, /\b([0-9]{6})\b/);
    return code;
  }

  return {
    secrets,
    async confirm(number) {
      const [link] = await find(email, /https?:\/\/\S+\/confirm\/(\S+)/);
      const page = await fetch(link);
      if (!(await page.text()).includes("Number on the waiting screen")) throw new Error("the link leads to no form");
      const answer = await fetch(link, { method: "POST", body: new URLSearchParams({ number }) });
      if (!answer.ok) throw new Error(`the page behind the link said ${answer.status}`);
    },
    code: () => codeTo(phone),
    mailedCode: () => codeTo(email),
  };
}
