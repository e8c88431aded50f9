/**
 * Writes schedule.json, codec.json, question.json, sealed.json, identity.json and e2e.json: `node test/vectors/generate.ts`. Seeds are fixed, so the result is the same each time;
 * only the post-quantum encapsulation is random and is kept from the file that is there. rfc*.json are transcribed, not made.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { buildE2e } from "./build-e2e.ts";
import { buildIdentity } from "./build-identity.ts";
import { buildCodec, buildQuestion, buildSchedule, buildSealed } from "./build.ts";

const at = (name: string): URL => new URL(name, import.meta.url);
const scheduleFile = at("schedule.json");
const e2eFile = at("e2e.json");
const read = (file: URL) => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null);
const recorded = read(scheduleFile) ?? [];

writeFileSync(scheduleFile, `${JSON.stringify(buildSchedule(recorded), null, 2)}\n`);
writeFileSync(at("question.json"), `${JSON.stringify(buildQuestion(), null, 2)}\n`);
writeFileSync(at("sealed.json"), `${JSON.stringify(buildSealed(), null, 2)}\n`);
writeFileSync(at("codec.json"), `${JSON.stringify(buildCodec(), null, 2)}\n`);
writeFileSync(at("identity.json"), `${JSON.stringify(buildIdentity(), null, 2)}\n`);
writeFileSync(e2eFile, `${JSON.stringify(buildE2e(read(e2eFile) ?? {}), null, 2)}\n`);
