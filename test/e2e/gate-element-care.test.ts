import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults, RunOptions } from "axe-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { json, type Receiver, startReceiver } from "../../libs/runtime/test/support/webhook-receiver.ts";
import { findBrowser } from "./browser/find-browser.ts";
import { type GatePage, type GateTab, openGatePage } from "./support/gate-page.ts";
import { type Bob, outboxKey, peopleOf, wrong } from "./support/gate-people.ts";
import { makeSocket, type OwnedSocket } from "./support/socket.ts";
import { startWorld, type World } from "./support/world.ts";

declare const axe: { run(options: RunOptions): Promise<AxeResults> };

/** Slow, for it looks at everything that a person is ever shown: `npm run test:full`. */
const full = process.env.PORTCULLIS_FULL === "1";
const program = findBrowser(process.env);
/** Pictures of every view end here, for whoever wants to look at them. */
const pictures = process.env.PORTCULLIS_PICTURES;
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const cat = ["  /\\_/\\", " ( o.o )", "  > ^ <"].join("\n");

const looks = [
  { name: "light", width: 900, colorScheme: "light", dir: "ltr" },
  { name: "dark and small", width: 320, colorScheme: "dark", dir: "ltr" },
  { name: "from right to left", width: 320, colorScheme: "light", dir: "rtl" },
] as const;

let world: World;
let page: GatePage;
let at: GateTab;
let service: Receiver;
const { bobOn } = peopleOf(() => world);
const given = ({ socket }: Bob) => ({ url: socket.url, appKey: socket.appKey, member: "bob" });

beforeAll(async () => {
  if (program === null || !full) return;
  const env = { OUTBOX_KEY: outboxKey, OUTBOUND_ALLOW: "http://127.0.0.1" };
  [world, page, service] = await Promise.all([startWorld({ env }), openGatePage(program), startReceiver()]);
});
beforeEach(async () => {
  if (page !== undefined) at = await page.open();
});
afterEach(async () => {
  expect(at?.broken).toEqual([]);
  await at?.close();
});
afterAll(async () => {
  await Promise.all([page?.close(), service?.close()]);
  await world?.close();
});

async function start(bob: Bob, more: object = {}): Promise<void> {
  await at.put({ ...given(bob), ...more });
  await at.start();
}

/** A socket whose policy speaks to a program of the owner's. */
async function withWebhook(gateOf: (webhook: string) => object): Promise<Bob> {
  const bob = await bobOn([]);
  const url = `/v1/sockets/${bob.socket.id}`;
  const { webhook } = await world.owner.post<{ webhook: { id: string } }>(`${url}/webhooks`, {
    url: service.url,
    purpose: "test",
  });
  const { version } = await world.owner.get<{ version: number }>(url);
  await world.owner.patch(url, { version, policy: { gates: [{ gate: "key" }, gateOf(webhook.id)] } });
  return bob;
}

async function withSign({ socket }: Bob): Promise<void> {
  await world.owner.put(`/v1/sockets/${socket.id}/members/bob/sign`, { art: cat });
}

async function kick(socket: OwnedSocket): Promise<void> {
  const url = `/v1/sockets/${socket.id}/sessions`;
  const { sessions } = await world.owner.get<{ sessions: { sid: string }[] }>(url);
  await world.owner.delete(`${url}/${sessions[0]?.sid}`);
}

/** Everything that a person may be shown, and how it comes about. Where the name has two words, the second one is what is special about it. */
const views: Readonly<Record<string, () => Promise<unknown>>> = {
  form: () => at.put({ member: "" }),
  async "form wrong"() {
    await at.put({ url: "ws://localhost/a/b", member: "bob" });
    await at.tab.getByLabel("App key").fill("pc1.nothing");
    await at.press("Enter");
    await expect.poll(() => at.text()).toContain("This is no app key.");
  },
  async unpinned() {
    const { url } = await makeSocket(world.owner, { gates: [{ gate: "path" }], anonymous: true });
    await at.put({ url, unpinned: "allow" });
    await at.tab.getByRole("button", { name: "Connect" }).click();
  },
  async "accepted unpinned"() {
    await views.unpinned?.();
    await at.tab.getByRole("button", { name: "Go on all the same" }).click();
  },
  async connecting() {
    await at.put({
      url: `${world.url.replace(/^http/, "ws")}/nobody/nowhere`,
      appKey: (await bobOn([])).socket.appKey,
    });
    await at.tab.routeWebSocket(/./, () => undefined);
    await at.start();
  },
  choose: async () =>
    start(await bobOn([{ anyOf: [{ gate: "otp" }, { gate: "email", by: "link" }, { gate: "sms" }] }])),
  otp: async () => start(await bobOn([{ gate: "otp" }])),
  async "otp wrong"() {
    const bob = await bobOn([{ gate: "otp" }]);
    await start(bob);
    await at.shows("otp");
    await at.type(wrong(bob.code()));
    await expect.poll(async () => (await at.wrongs()).aloud).not.toBe("");
  },
  sms: async () => start(await bobOn([{ gate: "sms" }])),
  call: async () => start(await bobOn([{ gate: "call" }])),
  email: async () => start(await bobOn([{ gate: "email" }])),
  waiting: async () => start(await bobOn([{ gate: "email", by: "link" }])),
  "waiting approval": async () => start(await bobOn([{ gate: "approval", notify: "none" }])),
  async "waiting external"() {
    service.handle = (_, response) => json(response, {});
    await start(await withWebhook((webhook) => ({ gate: "external", webhook })));
  },
  async question() {
    const bob = await bobOn([{ gate: "question", kind: "rule" }]);
    await world.owner.put(`/v1/sockets/${bob.socket.id}/members/bob/answer-rule`, { rule: "3 -1 2+4 =tea" });
    await start(bob);
  },
  async "question choices"() {
    const prompt = "Which of these streets have you lived in, as far as you remember?";
    service.handle = (_, response) => json(response, { prompt, choices: ["Oak Lane", "شارع النخيل", "Neither"] });
    await start(await withWebhook((webhook) => ({ gate: "question", kind: "custom", webhook })));
  },
  async "question typed"() {
    service.handle = (_, response) => json(response, { prompt: "Which street?" });
    await start(await withWebhook((webhook) => ({ gate: "question", kind: "custom", webhook })));
  },
  async secret() {
    const bob = await bobOn([{ gate: "question" }]);
    await world.owner.post(`/v1/sockets/${bob.socket.id}/members/bob/answer-secret`);
    await start(bob);
  },
  captcha: async () => {
    const bob = await bobOn([{ gate: "captcha", cost: "high" }]);
    await start(bob);
  },
  async "ident-agree"() {
    await start(await bobOn([{ gate: "ident", ask: "agree" }, { gate: "otp" }]));
  },
  async "ident-type"() {
    await start(await bobOn([{ gate: "ident", ask: "type" }, { gate: "otp" }]));
  },
  async "ident-pick"() {
    const bob = await bobOn([{ gate: "otp" }, { gate: "ident", ask: "pick" }]);
    await withSign(bob);
    await start(bob);
    await at.shows("otp");
    await at.type(bob.code());
  },
  async "otp ident"() {
    const bob = await bobOn([{ gate: "ident", ask: "none" }, { gate: "otp" }]);
    await start(bob);
  },
  async jwt() {
    const item = { gate: "jwt", issuer: "https://issuer.example.com", audience: "chat" };
    await start(await bobOn([item]));
  },
  async accepted() {
    await start(await bobOn([]));
  },
  async denied() {
    const other = await makeSocket(world.owner);
    await start(await bobOn([{ gate: "otp" }]), { appKey: other.appKey });
  },
  async cancelled() {
    await start(await bobOn([{ gate: "otp" }]));
    await at.shows("otp");
    await at.tab.getByRole("button", { name: "Cancel" }).click();
  },
  async closed() {
    const bob = await bobOn([]);
    await start(bob);
    await at.shows("accepted");
    await kick(bob.socket);
  },
  async "otp raised"() {
    const bob = await bobOn([], { during: [{ message: "transfer", gate: "otp" }], resume: "30s" });
    await start(bob);
    await at.shows("otp");
    await at.type(bob.code());
    await at.shows("accepted");
    void at.send("a transfer", "transfer").catch(() => undefined);
  },
};

describe.skipIf(program === null || !full)("<portcullis-gate> is for everybody", { timeout: 60_000 }, () => {
  test.for(Object.entries(views))("%s", async ([name, come]) => {
    await come();
    await at.shows(name.split(" ")[0] ?? "");
    for (const look of looks) {
      await at.tab.setViewportSize({ width: look.width, height: 800 });
      await at.tab.emulateMedia({ colorScheme: look.colorScheme });
      await at.setDirection(look.dir);
      if (pictures !== undefined) await at.tab.screenshot({ path: `${pictures}/${name} ${look.name}.png` });
      expect(await at.overflow(), look.name).toBe(0);
      await at.tab.evaluate(axeSource);
      // What the page around it is like is not the element's.
      const { violations } = await at.tab.evaluate(() => axe.run({ resultTypes: ["violations"] }));
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
      expect(found, look.name).toEqual([]);
    }
  });

  test("shows a token to nobody who looks over the shoulder", async () => {
    await views.jwt?.();
    await at.shows("jwt");
    expect(await at.tab.locator("portcullis-gate input").getAttribute("type")).toBe("password");
  });

  test("says at the field that an answer is too long, and does not end over it", async () => {
    await views["question typed"]?.();
    await at.shows("question");
    await at.tab.locator("portcullis-gate input").fill("x".repeat(4_097));
    await at.press("Enter");
    const said = "That was not right.";
    expect(await at.wrongs()).toEqual({ field: said, aloud: said });
    await at.tab.waitForTimeout(200);
    expect(await at.view()).toBe("question");
    expect(await at.text()).toContain("3 attempts left.");
  });

  test("says at the field what is asked, to whoever does not see it", async () => {
    await views["question typed"]?.();
    await at.shows("question");
    expect(await at.focused()).toBe("input Your answer");
    expect(await at.described()).toContain("Which street?");
  });
});
