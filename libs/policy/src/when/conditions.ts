import { z } from "zod";
import { strict } from "../strict.ts";
import { isNetwork } from "./network.ts";
import { days, isZone } from "./time.ts";

const listMax = 64;

/** How often a network has failed of late; see `identity`. Each level holds for those above it. */
export const risks = ["low", "raised", "high"] as const;
export type Risk = (typeof risks)[number];

const nameError = "must be a member's name: 1 to 128 of A-Z, a-z, 0-9 and . _ @ + -";
const name = z.string({ error: nameError }).regex(/^[A-Za-z0-9._@+-]{1,128}$/, { error: nameError });
const names = z
  .array(name)
  .min(1, { error: "must name at least one member" })
  .max(listMax, { error: `must name at most ${listMax} members` });
const memberError = 'must be a list of names, or { "not": [names] }';
const member = z.union([names, strict({ not: names })], {
  error: (issue) => (Array.isArray(issue.input) ? nameError : memberError),
});

const networkError = "must be an address or a network such as 10.0.0.0/8 or 2001:db8::/32";
const network = z
  .array(z.string({ error: networkError }).max(64, { error: networkError }).refine(isNetwork, { error: networkError }))
  .min(1, { error: "must name at least one network" })
  .max(listMax, { error: `must name at most ${listMax} networks` });

const clockError = "must be a time of day such as 08:00";
const from = z.string({ error: clockError }).regex(/^([01][0-9]|2[0-3]):[0-5][0-9]$/, { error: clockError });
const to = z
  .string({ error: clockError })
  .regex(/^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$/, { error: `${clockError}, at most 24:00` });
const someDays = z.array(z.enum(days)).min(1, { error: "must name at least one day" }).max(days.length);
const zoneError = "must be a time zone such as Europe/Berlin";
const zoneName = z.string({ error: zoneError }).regex(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/, { error: zoneError });

const timeDocument = strict({
  days: someDays.optional().describe("every day unless set"),
  from: from.optional().describe("00:00 unless set"),
  to: to.optional().describe("24:00 unless set; not later than `from`: on the next day"),
  zone: zoneName.refine(isZone, { error: zoneError }).default("UTC"),
})
  .check(({ value: { days: on, from: start = "00:00", to: end = "24:00" }, issues }) => {
    if (start === end) issues.push({ code: "custom", path: ["to"], message: "must not be `from`", input: end });
    if (on === undefined && start === "00:00" && end === "24:00")
      issues.push({ code: "custom", path: [], message: "must say days, from or to", input: on });
  })
  .transform(({ days: on = [...days], from: start = "00:00", to: end = "24:00", zone }) => ({
    days: on,
    from: start,
    to: end,
    zone,
  }));
/** What a zone means is looked up when it is needed: a server that does not know it must still read the policy. */
const timeStored = strict({ days: someDays, from, to, zone: zoneName });

const risk = z.enum(risks);

function conditions<Time extends z.ZodType>(time: Time) {
  return strict({
    member: member.optional(),
    network: network.optional(),
    time: time.optional(),
    risk: risk.optional(),
  }).refine((all) => Object.values(all).some((one) => one !== undefined), {
    error: "must hold at least one of: member, network, time, risk",
  });
}

/** All of them have to hold; at least one. */
export const conditionsDocument = conditions(timeDocument);
export const conditionsStored = conditions(timeStored);
export type Conditions = z.output<typeof conditionsStored>;
