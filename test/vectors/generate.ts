/**
 * Writes schedule.json, codec.json, question.json, sealed.json and identity.json: `node test/vectors/generate.ts`. Seeds are fixed, so the result is the same each time;
 * only the post-quantum encapsulation is random and is kept from the file that is there. rfc*.json are transcribed, not made.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { buildIdentity } from "./build-identity.ts";
import { buildCodec, buildQuestion, buildSchedule, buildSealed } from "./build.ts";

const at = (name: string): URL => new URL(name, import.meta.url);
const scheduleFile = at("schedule.json");
const recorded = existsSync(scheduleFile) ? JSON.parse(readFileSync(scheduleFile, "utf8")) : [];

writeFileSync(scheduleFile, `${JSON.stringify(buildSchedule(recorded), null, 2)}\n`);
writeFileSync(at("question.json"), `${JSON.stringify(buildQuestion(), null, 2)}\n`);
writeFileSync(at("sealed.json"), `${JSON.stringify(buildSealed(), null, 2)}\n`);
writeFileSync(at("codec.json"), `${JSON.stringify(buildCodec(), null, 2)}\n`);
writeFileSync(at("identity.json"), `${JSON.stringify(buildIdentity(), null, 2)}\n`);
