import { randomBytes } from "node:crypto";
import { checkAmount, checkExpiry, checkMark, checkMembersMax, checkName, checkTtl } from "../check.ts";
import type { State } from "../port.ts";
import { connect } from "./connect.ts";
import { versionBytes, withScripts } from "./scripts.ts";

export interface RedisStateOptions {
  /** `redis://` or `rediss://`, with credentials where the server wants them. Redis 6.2 or newer. */
  readonly url: string;
  /** Put before every key; default `portcullis:`. */
  readonly keyPrefix?: string;
  /** Epoch milliseconds; decides which set members have expired. All other expiry is Redis's own. Default: Date.now. */
  readonly clock?: () => number;
  /** After this long an operation, or the first connect, rejects. Default 3000. */
  readonly commandTimeoutMs?: number;
}

/**
 * State in Redis. It survives kill -9 of Redis only with `appendonly yes` and `appendfsync always`.
 *
 * @throws when Redis does not answer within the command timeout.
 */
export async function openRedisState(options: RedisStateOptions): Promise<State> {
  const { keyPrefix = "portcullis:", clock = Date.now, commandTimeoutMs = 3000 } = options;
  const redis = await connect(options.url, commandTimeoutMs);
  const scripts = withScripts(redis);
  const entry = (key: string) => `${keyPrefix}entry:${checkName(key)}`;
  const counter = (key: string) => `${keyPrefix}counter:${checkName(key)}`;
  const mark = (key: string) => `${keyPrefix}mark:${checkName(key)}`;
  const set = (key: string) => `${keyPrefix}set:${checkName(key)}`;

  return {
    async get(key) {
      const stored = await redis.getBuffer(entry(key));
      if (stored === null) return null;
      const version = stored.subarray(0, versionBytes).toString("base64url");
      return { value: withoutVersion(stored), version };
    },
    async create(key, value, ttlMs) {
      const version = randomBytes(versionBytes);
      const done = await redis.set(entry(key), Buffer.concat([version, value]), "PX", checkTtl(ttlMs), "NX");
      return done === null ? null : version.toString("base64url");
    },
    async replace(key, version, value, ttlMs) {
      const next = randomBytes(versionBytes);
      const stored = Buffer.concat([next, value]);
      const done = await scripts.replaceEntry(entry(key), fromText(version), stored, checkTtl(ttlMs));
      return done === 1 ? next.toString("base64url") : null;
    },
    async delete(key, version) {
      if (version === undefined) return (await redis.del(entry(key))) === 1;
      return (await scripts.deleteEntry(entry(key), fromText(version))) === 1;
    },
    async take(key) {
      const stored = await redis.getdelBuffer(entry(key));
      return stored === null ? null : withoutVersion(stored);
    },
    async deleteAndCount(key, counted, ttlMs) {
      return (await scripts.deleteAndCount(entry(key), counter(counted), checkTtl(ttlMs))) === 1;
    },
    async replaceAndCount({ key, version, value, ttlMs, counter: counted, counterTtlMs, kept }) {
      // A version that cannot be is not taken for none.
      const expected = version === null ? Buffer.alloc(0) : fromText(version);
      const sum = await scripts.replaceAndCount(
        entry(key),
        counter(counted),
        expected,
        withVersion(value),
        checkTtl(ttlMs),
        checkTtl(counterTtlMs),
        kept === null ? "" : entry(kept.prefix),
        kept === null ? "" : withVersion(kept.value),
        kept === null ? "" : checkTtl(kept.ttlMs),
      );
      return sum === 0 ? null : sum;
    },
    async add(key, amount, ttlMs) {
      return await scripts.addToCounter(counter(key), checkAmount(amount), checkTtl(ttlMs));
    },
    async sum(key) {
      return Number((await redis.get(counter(key))) ?? 0);
    },
    async reset(key) {
      await redis.del(counter(key));
    },
    async advance(key, value, holder, ttlMs) {
      return (await scripts.advanceMark(mark(key), checkMark(value), checkName(holder), checkTtl(ttlMs))) === 1;
    },
    async join(key, member, expiresAtMs, membersMax) {
      const max = membersMax === undefined ? "" : checkMembersMax(membersMax);
      await scripts.joinSet(set(key), checkName(member), checkExpiry(expiresAtMs), clock(), max);
    },
    async leave(key, member) {
      return (await scripts.leaveSet(set(key), checkName(member), clock())) === 1;
    },
    async members(key) {
      return await redis.zrangebyscore(set(key), `(${clock()}`, "+inf");
    },
    async ping() {
      await redis.ping();
    },
    async close() {
      redis.disconnect();
    },
  };
}

function withVersion(value: Uint8Array): Buffer {
  return Buffer.concat([randomBytes(versionBytes), value]);
}

function withoutVersion(stored: Buffer): Uint8Array {
  return new Uint8Array(stored.subarray(versionBytes));
}

/** A version of another length would be compared with fewer bytes than it has: it can only be wrong, so it matches nothing. */
function fromText(version: string): Buffer {
  const bytes = Buffer.from(version, "base64url");
  return bytes.length === versionBytes ? bytes : Buffer.alloc(1);
}
