/** Plural forms by the categories of Unicode CLDR, as Intl.PluralRules names them; chosen by `{n}`. */
export type Text = string | Plural;
export type Plural = { readonly other: string } & Readonly<Partial<Record<Intl.LDMLPluralRule, string>>>;

/** Every text of the element, in English. `{name}` is replaced; all of it is plain text. */
export const english = {
  "form.title": "Connect",
  "form.url": "Address of the socket",
  "form.key": "App key",
  "form.keyHint": "It begins with pc1. and names the server that is to answer.",
  "form.keyOptional": "App key, if you have one",
  "form.member": "Your name there",
  "form.go": "Connect",
  "form.wrong.url": "This is no address of a socket.",
  "form.wrong.key": "This is no app key.",
  "unpinned.title": "Nothing vouches for this server",
  "unpinned.text":
    "Without an app key or a pin nobody can tell whether the right server answers. Whoever answers sees the codes that you type.",
  "unpinned.go": "Go on all the same",
  "unpinned.back": "Back",
  "unpinned.banner": "Nothing vouches for this server. The words of its key: {words}",
  "successor.banner": "This server has another key since, as the one that you have says. Its words: {words}",
  "connecting.title": "Connecting",
  "connecting.text": "The server is looked for and verified before anything is sent.",
  checking: "Checking",
  timeLeft: "Time left",
  timeLeftSoon: { one: "{n} second left.", other: "{n} seconds left." },
  attemptsLeft: { one: "{n} attempt left.", other: "{n} attempts left." },
  cancel: "Cancel",
  leave: "End the session",
  other: "Another way",
  submit: "Go on",
  wrong: "That was not right.",
  "wrong.code": "That code was wrong or has been used: each one lets in once.",
  "wrong.shape": "A code has {n} digits.",
  "wrong.empty": "Nothing was typed.",
  "wrong.choice": "Nothing was chosen.",
  "choose.title": "Which way?",
  "choose.code": "{way}: a code",
  "choose.link": "{way}: a link",
  "choose.back": "Back to what is waited for",
  "title.key": "App key",
  "title.path": "Secret address",
  "title.ticket": "Ticket",
  "title.otp": "Code from your authenticator app",
  "title.email": "Code from the e-mail",
  "title.sms": "Code from the text message",
  "title.call": "Code from the call",
  "title.question": "Your answer",
  "title.approval": "Be let in by somebody",
  "title.external": "Decided by another service",
  "title.jwt": "Token of your identity provider",
  "title.passkey": "Passkey",
  "title.captcha": "Proof of work",
  "title.ident": "Is this the server that you know?",
  "way.email": "E-mail",
  "way.sms": "Text message",
  "way.call": "Call",
  "message.queued": "{way} to {to} is on its way.",
  "message.sent": "{way} to {to} was sent.",
  "message.delayed": "{way} to {to} could not be sent yet. It is being tried again.",
  "message.failed": "{way} to {to} could not be sent.",
  "message.refused": "{way} to {to} was not sent: there were too many, or one just now.",
  "callback.queued": "A service that decides on this is being told that you wait.",
  "callback.sent": "The service knows that you wait, and decides.",
  "callback.delayed": "The service could not be reached yet. It is being tried again.",
  "callback.failed": "The service could not be reached.",
  "callback.refused": "The service was not told: there were too many who wait.",
  "approval.asked": {
    one: "Somebody of the socket has to let you in.",
    other: "{n} people of the socket have to let you in.",
  },
  "approval.given": "{given} of {n} have.",
  "approval.refused": "Nobody is asked to let you in: it was asked too often. Try again in an hour.",
  "number.link": "Open the link and type this number there:",
  "number.approval": "Tell them this number:",
  "number.wrong": "Too many wrong numbers were typed.",
  "number.again": "Too many wrong numbers were typed. This is another number.",
  resend: "Send again",
  "resend.in": "Send again in {time}",
  "resend.ready": "You can ask for another message now.",
  "resend.asked": "Another message was asked for.",
  "rule.statement": "The words that are counted",
  "rule.hint": "Type the words that your rule picks, with spaces between.",
  "secret.label": "Your answer secret",
  "secret.hint": "It begins with pa1.",
  "secret.wrong": "This is no answer secret.",
  "ident.words": "The words of its key",
  "ident.picture": "Its key as a picture",
  "ident.sign": "Your sign, as this server has it",
  "ident.signNumber": "Sign {n}",
  "ident.agree": "Yes, this is the one",
  "ident.type": "The six words that you have of this server, from elsewhere",
  "ident.pick": "Which sign is yours?",
  "ident.wrong": "That was not it. Look again.",
  "ident.not": "I do not recognise this",
  "captcha.text": "Your browser computes for a moment, so that trying in numbers has a price. There is nothing to do.",
  "automatic.text": "This is answered without you.",
  "passkey.text": "Your device asks for your finger, your face or a PIN.",
  "passkey.go": "Use your passkey",
  "passkey.failed": "The passkey was not used.",
  "passkey.none": "This browser, or this page, cannot use passkeys.",
  lost: "The connection is lost. Another one is tried.",
  back: "The connection is back.",
  "accepted.title": "You are in",
  "accepted.text": "Passed: {gates}.",
  "accepted.words": "Words of this session",
  gap: "Something that was said meanwhile is lost.",
  "stepUp.passed": "Passed.",
  "denied.title": "Not let in",
  "denied.in": "Come back in {time}.",
  "denied.again": "Try again",
  "denied.ready": "You can try again now.",
  "denied.denied": "A server does not say why: the key, the address, the name or an answer.",
  "denied.unreachable": "Nothing answers there.",
  "denied.unavailable": "Not available at the moment.",
  "denied.untrusted-server": "Another server than yours answers there. Nothing was told to it.",
  "denied.timeout": "The time has passed.",
  "denied.unsupported": "This browser, or this page, cannot do what the server asks for.",
  "denied.key": "The app key is not valid.",
  "denied.ticket": "The ticket is not valid.",
  "denied.cancelled": "This page could not give what is asked for.",
  "denied.other": "The connection ended before you were let in.",
  "cancelled.title": "Left",
  "cancelled.text": "You have left. Nothing more is sent.",
  "cancelled.not-recognised": "You have left, because that was not the server that you know. Its owner is told.",
  "closed.title": "The session is over",
  "closed.again": "Connect again",
} as const satisfies Readonly<Record<string, Text>>;

export type TextKey = keyof typeof english;
export type Texts = Readonly<Record<TextKey, Text>>;

/** A text in words, with its values put in. */
export interface Say {
  (key: TextKey, values?: Readonly<Record<string, string | number>>): string;
  /** For keys that a gate or a server names; `otherwise` where there is no such text. */
  named(key: string, otherwise: string): string;
}

/** Keeps the direction of what is put in from that of the sentence around it (Unicode UAX 9, first strong isolate). */
const isolated = (value: string) => `\u2068${value}\u2069`;

/** @param lang BCP 47; "" or what no browser knows is the browser's own */
export function createSay(own: Readonly<Partial<Texts>>, lang: string): Say {
  const texts: Readonly<Record<string, Text>> = { ...english, ...own };
  const plural = pluralOf(lang);
  const say = (key: TextKey, values: Readonly<Record<string, string | number>> = {}) => {
    const text: Text = texts[key] ?? english[key];
    const chosen = typeof text === "string" ? text : (text[plural.select(Number(values.n ?? 0))] ?? text.other);
    if (typeof chosen !== "string") throw new TypeError(`texts has no text for ${key}.`);
    return chosen.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      return typeof value === "string" ? isolated(value) : `${value ?? whole}`;
    });
  };
  const named = (key: string, otherwise: string) => {
    const text = Object.hasOwn(texts, key) ? texts[key] : undefined;
    return typeof text === "string" ? text : otherwise;
  };
  return Object.assign(say, { named });
}

function pluralOf(lang: string): Intl.PluralRules {
  try {
    return new Intl.PluralRules(lang === "" ? undefined : lang);
  } catch {
    return new Intl.PluralRules();
  }
}
