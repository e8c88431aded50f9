import { connect } from "@portcullis/client";

/** Asked of the browser and not of the SDK, which has to find out the same. */
async function hasPostQuantum(): Promise<boolean> {
  try {
    await crypto.subtle.generateKey({ name: "ML-KEM-768" }, false, ["encapsulateBits", "decapsulateBits"] as never);
    return true;
  } catch {
    return false;
  }
}

/** WebAuthn level 3, of which only the browser's own types know. */
interface WebAuthn {
  readonly PublicKeyCredential: { parseCreationOptionsFromJSON(options: object): object };
  readonly navigator: { readonly credentials: { create(options: object): Promise<{ toJSON(): unknown }> } };
}

/** What a page does with the SDK. The test calls these by name. */
const page = {
  hasPostQuantum,

  /** Loaded by who asks for it, as an application would that does not always seal. */
  endToEnd: async () => (await import("./end-to-end.ts")).endToEnd,

  async enter(url: string, appKey: string, code: string) {
    const session = await connect(url, { appKey, answers: { otp: () => code }, echo: true });
    await session.send("hello from a browser");
    for await (const message of session) {
      const { member, gates, suite } = session;
      await session.close();
      return { member, gates, suite, heard: message.text() };
    }
    throw new Error("closed");
  },

  /** @returns RegistrationResponseJSON */
  async register(options: object): Promise<unknown> {
    const { PublicKeyCredential: known, navigator } = globalThis as unknown as WebAuthn;
    const publicKey = known.parseCreationOptionsFromJSON(options);
    return (await navigator.credentials.create({ publicKey })).toJSON();
  },

  async enterByPasskey(url: string, appKey: string): Promise<readonly string[]> {
    const session = await connect(url, { appKey });
    await session.close();
    return session.gates;
  },

  async refusal(url: string, appKey: string, minSuite: "0020" | "647a" = "0020"): Promise<string> {
    try {
      await connect(url, { appKey, answers: { otp: () => null }, minSuite });
      return "let in";
    } catch (error) {
      return error instanceof Error && "code" in error ? String(error.code) : String(error);
    }
  },
};

export type Page = typeof page;
Object.assign(globalThis, { page });
