import type { Page } from "playwright-core";

/** A device with a fingerprint reader, in a tab. @returns what says whether the finger is the right one */
export async function addDevice(tab: Page): Promise<(isUserVerified: boolean) => Promise<unknown>> {
  const devtools = await tab.context().newCDPSession(tab);
  await devtools.send("WebAuthn.enable");
  const options = {
    protocol: "ctap2",
    transport: "internal",
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  } as const;
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", { options });
  return (isUserVerified) => devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified });
}

/** For `tab.evaluate`: what a page does with an API's creation options. */
export function registering(options: unknown): string {
  return `navigator.credentials
    .create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(${JSON.stringify(options)}) })
    .then((made) => made.toJSON())`;
}
