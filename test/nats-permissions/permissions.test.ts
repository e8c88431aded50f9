import { connect as connectRaw } from "@nats-io/transport-node";
import { type Bus, BusUnavailableError, type BusUnavailableReason, busNameOf, inboxPrefixOf } from "@portcullis/bus";
import { connectNatsBus } from "@portcullis/bus/nats";
import { type Contract, contracts, event, type ServiceName, services, subjectOf } from "@portcullis/contracts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { natsUsers, operatorPermissions, renderNatsConfig, serviceUsers } from "../../deploy/nats/permissions.ts";
import { findNatsServer, type NatsServer, startNatsServer } from "./nats-server.ts";

const passwordOf = (user: string) => `test-password-of-${user}`;
const passwords = Object.fromEntries(services.map((service) => [service, passwordOf(service)]));
const subjectFor = (contract: Contract) => (contract.routed ? subjectOf(contract, "some-route") : subjectOf(contract));
const speakers = (contract: Contract) => (contract.kind === "request" ? contract.callers : contract.publishers);
const listeners = (contract: Contract) => (contract.kind === "request" ? [contract.server] : contract.subscribers);
const shared = (contract: Contract) => contract.kind === "request" || contract.shared;
const nothing = { data: new Uint8Array(0), headers: {} };

describe("generated NATS users", () => {
  it("are refused for an event with several subscriber services, which no seal could serve", () => {
    const torn = event({
      name: "edge.torn",
      publishers: ["edge"],
      subscribers: ["keys", "identity"],
      shared: true,
      event: z.never(),
      delivery: "none",
    });
    expect(() => natsUsers([torn])).toThrow(TypeError);
  });

  it("never render an empty list, which nats-server reads as everything", () => {
    const users = [{ user: "nobody", password: "x", publish: [], subscribe: [], respondMs: 0 }];
    const text = renderNatsConfig({ users, host: "127.0.0.1", port: 4222 });
    expect(text).not.toContain("allow: []");
    expect(text.match(/deny: \[">"\]/g)).toHaveLength(2);
  });

  it("do not let a password write configuration", () => {
    for (const password of ['x"\n}', "a\\", "", "tab\there"]) {
      const users = [{ user: "edge", password, publish: [], subscribe: [], respondMs: 0 }];
      expect(() => renderNatsConfig({ users, host: "127.0.0.1", port: 4222 })).toThrow(TypeError);
    }
  });
});

const binary = findNatsServer();
if (binary === undefined) {
  it.skip("NATS permissions need nats-server on the PATH or in NATS_SERVER_BIN", () => undefined);
} else {
  describe("a server with the generated permissions", () => {
    let server: NatsServer;
    let buses: Bus[] = [];
    let refusals: string[] = [];

    beforeAll(async () => {
      const operator = { user: "operator", password: passwordOf("operator"), ...operatorPermissions };
      const users = [...serviceUsers(contracts, passwords), operator];
      server = await startNatsServer(binary, (port) => renderNatsConfig({ users, host: "127.0.0.1", port }));
    });
    afterAll(() => server.remove());
    afterEach(async () => {
      await Promise.all(buses.map((bus) => bus.close()));
      buses = [];
      refusals = [];
    });

    const connect = async (user: ServiceName | "operator", inboxPrefix = `_INBOX_${user}`): Promise<Bus> => {
      const bus = await connectNatsBus({
        servers: [server.address],
        name: user,
        user,
        password: passwordOf(user),
        inboxPrefix,
        onError: (error, subject) => {
          if (error instanceof BusUnavailableError && error.reason === "refused") refusals.push(subject);
        },
      });
      buses.push(bus);
      return bus;
    };
    const listening = async (bus: Bus, subject: string, queue?: string): Promise<BusUnavailableReason | "allowed"> => {
      try {
        const subscription = await bus.subscribe(subject, () => undefined, queue === undefined ? {} : { queue });
        await subscription.close();
        return "allowed";
      } catch (error) {
        if (error instanceof BusUnavailableError) return error.reason;
        throw error;
      }
    };
    /** Publishes one after the other and gives those that the server refused. */
    const refusedOf = async (bus: Bus, subjects: readonly string[]): Promise<string[]> => {
      refusals = [];
      for (const subject of subjects) bus.publish(subject, nothing);
      await bus.ping();
      await new Promise((resolve) => setTimeout(resolve, 20));
      return [...new Set(refusals)].sort();
    };

    it("lets nobody in without a name or with a wrong password", async () => {
      const options = { servers: [server.address], name: "stranger", onError: () => undefined };
      await expect(connectNatsBus(options)).rejects.toMatchObject({ reason: "refused" });
      const wrong = { ...options, user: "edge", password: passwordOf("api") };
      await expect(connectNatsBus(wrong)).rejects.toMatchObject({ reason: "refused" });
    });

    for (const self of services) {
      const name = busNameOf(self);

      it(`${self} may send on its own contracts and is refused on every other`, async () => {
        const bus = await connect(self);
        const foreign = contracts.filter((contract) => !speakers(contract).includes(self));
        expect(foreign.length).toBeGreaterThan(0);
        expect(await refusedOf(bus, contracts.map(subjectFor))).toEqual(foreign.map(subjectFor).sort());
      });

      it(`${self} may listen to its own contracts, as the replica it is, and is refused on every other`, async () => {
        const bus = await connect(self);
        for (const contract of contracts) {
          const subject = subjectFor(contract);
          const own = listeners(contract).includes(self);
          expect(await listening(bus, subject, name), `${subject} as ${name}`).toBe(own ? "allowed" : "refused");
          // A listener outside the queue would overhear what is meant for another replica.
          const overhears = own && !shared(contract);
          expect(await listening(bus, subject), subject).toBe(overhears ? "allowed" : "refused");
          if (!overhears) expect(await listening(bus, subject, "another"), `${subject} as another`).toBe("refused");
        }
      });

      it(`${self} cannot listen to inboxes of others, to everything, or to the system`, async () => {
        const bus = await connect(self);
        const others = services.filter((other) => other !== self);
        const wide = [
          ">",
          "*.>",
          "portcullis.>",
          "portcullis.v1.>",
          "_INBOX.>",
          "$SRV.>",
          "$SYS.>",
          "$JS.>",
          "elsewhere",
        ];
        const foreign = others.flatMap((other) => [
          `${inboxPrefixOf(other)}.>`,
          `${inboxPrefixOf(other)}.a.b`,
          `$SRV.PING.${busNameOf(other)}`,
        ]);
        for (const subject of [...wide, ...foreign]) expect(await listening(bus, subject), subject).toBe("refused");
        expect(await listening(bus, `${inboxPrefixOf(self)}.>`)).toBe("allowed");
      });

      it(`${self} cannot send to inboxes, to operators' subjects or anywhere that no contract names`, async () => {
        const bus = await connect(self);
        const inboxes = services.map((other) => `${inboxPrefixOf(other)}.a.b`);
        const subjects = [
          ...inboxes,
          "$SRV.PING",
          `$SRV.PING.${name}`,
          "$JS.API.INFO",
          "$SYS.REQ.SERVER.PING",
          "elsewhere",
        ];
        expect(await refusedOf(bus, subjects)).toEqual([...subjects].sort());
      });
    }

    it("carries a question and its answer for every request contract and caller, and every event", async () => {
      for (const contract of contracts) {
        const subject = subjectFor(contract);
        for (const speaker of speakers(contract)) {
          const asking = await connect(speaker);
          for (const listener of listeners(contract)) {
            const serving = await connect(listener);
            if (contract.kind === "request") {
              const service = { name: busNameOf(listener), version: "1.0.0", description: "permissions" };
              const registration = await serving.register(service);
              const handler = async () => ({ data: new TextEncoder().encode(subject), headers: {} });
              await registration.add({ name: "endpoint", subject, queue: busNameOf(listener), handler });
              const reply = await asking.request(subject, nothing, { timeoutMs: 2_000 });
              expect(new TextDecoder().decode(reply.data)).toBe(subject);
            } else {
              const options = contract.shared ? { queue: busNameOf(listener) } : {};
              const { promise: got, resolve } = Promise.withResolvers();
              await serving.subscribe(subject, resolve, options);
              asking.publish(subject, nothing);
              expect(await got).toMatchObject({ subject });
            }
            await serving.close();
          }
          await asking.close();
        }
      }
      expect(refusals).toEqual([]);
    }, 30_000);

    it("lets an answer through once, to the inbox of a request that was received, and nowhere else", async () => {
      const contract = contracts.find((each) => each.kind === "request" && !each.routed);
      if (contract?.kind !== "request") throw new Error("no request contract");
      const [caller] = contract.callers;
      if (caller === undefined) throw new Error("no caller");
      const subject = subjectFor(contract);
      const serving = await connectRaw({
        servers: server.address,
        user: contract.server,
        pass: passwordOf(contract.server),
        inboxPrefix: inboxPrefixOf(contract.server),
      });
      const violations: string[] = [];
      (async () => {
        for await (const status of serving.status()) {
          if (status.type === "error") violations.push(status.error.message);
        }
      })().catch(() => undefined);
      let inbox = "";
      serving.subscribe(subject, {
        queue: busNameOf(contract.server),
        callback: (_error, message) => {
          inbox = message.reply ?? "";
          message.respond("first");
          message.respond("second");
        },
      });
      await serving.flush();
      const asking = await connect(caller);
      const reply = await asking.request(subject, nothing, { timeoutMs: 2_000 });
      expect(new TextDecoder().decode(reply.data)).toBe("first");
      await serving.flush();
      await expect.poll(() => violations.length).toBe(1);
      serving.publish(inbox, "third");
      serving.publish(`${inbox}x`, "guessed");
      await serving.flush();
      await expect.poll(() => violations.length).toBe(3);
      await serving.close();
    });

    it("does not make a service speak where its caller could not: an answer goes to an inbox or nowhere", async () => {
      const asked = contracts.find((each) => each.kind === "request" && !each.routed && each.callers.includes("edge"));
      const target = contracts.find(
        (each) =>
          each.kind === "request" && !each.routed && !each.callers.includes("edge") && each.server === "identity",
      );
      if (asked?.kind !== "request" || target?.kind !== "request") throw new Error("no such contracts");
      const reached: string[] = [];
      const handler = (what: string) => async () => {
        reached.push(what);
        return nothing;
      };
      for (const [contract, what] of [[asked, "asked"] as const, [target, "target"] as const]) {
        const serving = await connect(contract.server);
        const name = busNameOf(contract.server);
        const registration = await serving.register({ name, version: "1.0.0", description: "x" });
        await registration.add({ name: "x", subject: subjectFor(contract), queue: name, handler: handler(what) });
      }
      const raw = await connectRaw({ servers: server.address, user: "edge", pass: passwordOf("edge") });
      raw.publish(subjectFor(asked), "", { reply: subjectFor(target) });
      raw.publish(subjectFor(asked), "", { reply: `${inboxPrefixOf("edge")}.x.y` });
      await raw.flush();
      await expect.poll(() => reached.length).toBeGreaterThan(0);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(reached).toEqual(["asked"]);
      await raw.close();
    });

    it("refuses a request from a service that is no caller as `refused`, not as a timeout", async () => {
      const contract = contracts.find((each) => each.kind === "request" && !each.callers.includes("notify"));
      if (contract === undefined) throw new Error("no such contract");
      const bus = await connect("notify");
      const asked = bus.request(subjectFor(contract), nothing, { timeoutMs: 3_000 });
      await expect(asked).rejects.toMatchObject({ reason: "refused" });
    });

    it("gives a service that uses a foreign inbox no answers", async () => {
      const contract = contracts.find((each) => each.kind === "request" && each.callers.includes("edge"));
      if (contract === undefined) throw new Error("no such contract");
      const bus = await connect("edge", inboxPrefixOf("identity"));
      const asked = bus.request(subjectFor(contract), nothing, { timeoutMs: 3_000 });
      await expect(asked).rejects.toMatchObject({ reason: "refused" });
    });

    it("shows operators the services, and nothing that they say", async () => {
      const serving = await connect("identity");
      await serving.register({ name: busNameOf("identity"), version: "1.0.0", description: "x" });
      const operator = await connect("operator");
      const reply = await operator.request(`$SRV.INFO.${busNameOf("identity")}`, nothing, { timeoutMs: 2_000 });
      expect(JSON.parse(new TextDecoder().decode(reply.data))).toMatchObject({ name: "portcullis-identity" });
      for (const subject of [">", "portcullis.>", ...contracts.map(subjectFor)]) {
        expect(await listening(operator, subject), subject).toBe("refused");
      }
      const subjects = contracts.map(subjectFor).sort();
      expect(await refusedOf(operator, subjects)).toEqual(subjects);
    });
  });
}
