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

/** What a page does with the SDK. The test calls these by name. */
const page = {
  hasPostQuantum,

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
