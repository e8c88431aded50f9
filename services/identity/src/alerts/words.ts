import type { AlertKind } from "@portcullis/contracts";

/**
 * What an owner is mailed. No id, no name and no number in it: mail is read by others, and whoever brought it about may be one of them.
 *
 * Lines of at most 76 characters, so that a mail needs no encoding.
 */
export function alertMail(kind: AlertKind, label: string): { readonly subject: string; readonly text: string } {
  const { subject, what } = words[kind];
  const [first, rest] = what;
  const text = [
    first,
    "",
    `  ${label}`,
    "",
    ...rest,
    "",
    "What is known of it:",
    "",
    `  portcullis owner alerts ${label}`,
    "",
    "What happens again is mailed once in an hour at most.",
  ];
  return { subject, text: text.map((line) => `${line}\n`).join("") };
}

const words: Readonly<
  Record<AlertKind, { readonly subject: string; readonly what: readonly [first: string, rest: readonly string[]] }>
> = {
  lockout: {
    subject: "Somebody was locked out of your Portcullis socket",
    what: [
      "So much has failed at your socket",
      [
        "that nothing more is looked at for a while from where it came. It may be a",
        "member who mistyped, and whom you can let try again; it may be somebody who",
        "guesses, and has an app key to do it with.",
      ],
    ],
  },
  "canary-key": {
    subject: "Somebody used a key that you planted",
    what: [
      "Somebody came with a canary, an app key that you planted, to your socket",
      [
        "Nobody who may come in has it. Whoever it is has been where you put it, and",
        "did not get in. What else lies there, other keys above all, is known to",
        "somebody else: revoke it.",
      ],
    ],
  },
  "canary-member": {
    subject: "Somebody came as a member whom you planted",
    what: [
      "Somebody came as a canary, a member who is nobody, to your socket",
      [
        "They got as far as only those get who hold what the socket asks for before",
        "names count, or knew the member's passphrase or passkey. They did not get",
        "in. Look where you planted it, and who could read that.",
      ],
    ],
  },
  decoy: {
    subject: "Somebody is in the decoy of your Portcullis socket",
    what: [
      "Somebody was let into the decoy of your socket",
      [
        "and takes it for the real one. They reach nothing that is real. What they",
        "do there is kept for you. What brought them there, a stolen key perhaps, is",
        "good for nothing better; revoke it when you have seen enough.",
      ],
    ],
  },
  "not-recognised": {
    subject: "Somebody did not recognise your Portcullis server",
    what: [
      "Somebody who was connecting to your socket",
      [
        "left because what they were shown was not what they know of your server.",
        "Anybody who reaches the gates can say so. It may be a mistake; it may be",
        "that somebody sits between them and you, or that a sign was replaced.",
        "",
        "Ask those who connected just now what they saw, and compare the words of",
        "the server with `portcullis owner server`. If they differ, their app key",
        "and what they typed is known to somebody else: revoke the key.",
      ],
    ],
  },
  guessing: {
    subject: "Somebody is guessing at your Portcullis socket",
    what: [
      "From one network, again and again, somebody fails at your socket",
      [
        "Nothing says that they come any closer, and each try gets dearer for them.",
        "Many people behind one address, or a program whose key has ended, look the",
        "same.",
      ],
    ],
  },
  declines: {
    subject: "Far more than usual is refused at your Portcullis socket",
    what: [
      "Of those who came in the last minutes most were refused at your socket",
      [
        "which is far more than in the day before. It may be an attack; it may be a",
        "policy that was changed, a key that was revoked and not replaced, or a",
        "service that some gate needs and that is down.",
      ],
    ],
  },
};
