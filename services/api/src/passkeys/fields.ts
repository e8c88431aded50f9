import { type PasskeyView, passkeyView, relyingParty } from "@portcullis/contracts";
import { z } from "zod";
import { caption, id, time, timeOf, timeOrNull } from "../http/fields.ts";

/** PublicKeyCredential.toJSON() of either kind: names of two levels, the rest is for its judge. */
export const response = z
  .record(z.string().max(64), z.unknown())
  .refine((value) => JSON.stringify(value).length <= 32_768, { error: "must be at most 32 KiB of JSON" })
  .describe("what `navigator.credentials` gave, as `toJSON()`");
export const label = caption.describe("by which its owner tells it from others");

export const registration = z.object({
  registrationId: id,
  options: z
    .record(z.string(), z.unknown())
    .describe(
      "for `navigator.credentials.create`, by `PublicKeyCredential.parseCreationOptionsFromJSON`; good for 5 minutes",
    ),
});

export const passkey = z.object({
  id,
  label: passkeyView.shape.label,
  relyingParty,
  synced: z.boolean().describe("kept on several devices, as far as the device says"),
  createdAt: time,
  lastUsedAt: time.nullable(),
});

export function viewOfPasskey({ createdAtMs, lastUsedAtMs, ...same }: PasskeyView): z.infer<typeof passkey> {
  return { ...same, createdAt: timeOf(createdAtMs), lastUsedAt: timeOrNull(lastUsedAtMs) };
}
