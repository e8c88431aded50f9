import { ConfigError, describeConfig, readConfig } from "@portcullis/runtime";
import { describe, expect, it } from "vitest";
import { notifyConfig } from "../src/config.ts";
import { isLoopback } from "../src/transports/smtp-url.ts";

const read = (environment: Record<string, string>) => readConfig(notifyConfig, environment);

describe("settings", () => {
  it("need nothing: mails then go to the outbox", () => {
    expect(read({})).toEqual({
      smtp: null,
      smtpAllowPlain: false,
      outboxDir: "./data/outbox",
      outboxKey: null,
      twilioAccountSid: null,
      twilioAuthToken: null,
      twilioFrom: null,
      twilioVoiceFrom: null,
      twilioUrl: new URL("https://api.twilio.com"),
      publicUrl: null,
      outboundAllow: null,
      smsWebhookUrl: null,
      smsWebhookSecret: null,
      from: { name: "Portcullis", address: "portcullis@localhost" },
    });
  });

  it("take a mail server with credentials, and never show them", () => {
    const config = read({ SMTP_URL: "smtps://al%40x:p%2Fw@mail.example.com" });
    const credentials = { user: "al@x", password: "p/w" };
    expect(config.smtp).toEqual({ host: "mail.example.com", port: 465, implicitTls: true, credentials });
    expect(JSON.stringify(describeConfig(notifyConfig, config))).not.toMatch(/p\/w|al@x|mail\.example/);
    expect(read({ SMTP_URL: "smtp://[::1]:2525" }).smtp).toEqual({
      host: "::1",
      port: 2525,
      implicitTls: false,
      credentials: null,
    });
    expect(read({ SMTP_URL: "smtp://mail.example.com/" }).smtp?.port).toBe(587);
  });

  it.each([
    "http://mail.example.com",
    "smtp:///",
    "smtp://mail.example.com/x",
    "smtps://mail.example.com?tls.rejectUnauthorized=false",
    "smtp://mail.example.com#x",
    "smtp://onlyuser@mail.example.com",
    "smtp://u:%0d%0a@mail.example.com",
    "smtp://u:%zz@mail.example.com",
    "smtp://mail.example.com:99999",
  ])("refuse %j as a mail server, without repeating it", (url) => {
    expect(() => read({ SMTP_URL: url })).toThrow(ConfigError);
    expect(() => read({ SMTP_URL: url })).not.toThrow(url);
  });

  it("take a sender with or without a name, and no list", () => {
    expect(read({ MAIL_FROM: "a@b.example" }).from).toEqual({ name: "", address: "a@b.example" });
    expect(read({ MAIL_FROM: "Die Brücke <a@b.example>" }).from).toEqual({
      name: "Die Brücke",
      address: "a@b.example",
    });
    for (const wrong of ["a", "<a@b>, <c@d>", "a@b, c@d", "x <a@b> y", "a@b@c", 'x" <a@b>'])
      expect(() => read({ MAIL_FROM: wrong })).toThrow(ConfigError);
  });

  it("know what stays on this machine", () => {
    expect(["localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"].map(isLoopback)).toEqual(
      Array(5).fill(true),
    );
    expect(["0.0.0.0", "127.example.com", "localhost.example.com", "10.0.0.1", "::", "[::1]"].map(isLoopback)).toEqual(
      Array(6).fill(false),
    );
  });
});
