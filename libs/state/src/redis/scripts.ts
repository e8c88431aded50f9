import type { Redis } from "ioredis";

/** An entry is stored as its version (16 random bytes) and its value, in one string, so that GETDEL takes both at once. */
export const versionBytes = 16;

/**
 * What needs more than one command. Redis runs a script without anything in between. Integers reach Lua as strings and are
 * exact as doubles up to 2^53.
 */
const scripts = {
  /** KEYS entry · ARGV version (bytes), next version + value (bytes), ttl ms · returns 1 when replaced, else 0 */
  replaceEntry: `
    if redis.call('GETRANGE', KEYS[1], 0, ${versionBytes - 1}) ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    return 1`,

  /** KEYS entry · ARGV version (bytes) · returns 1 when deleted, else 0 */
  deleteEntry: `
    if redis.call('GETRANGE', KEYS[1], 0, ${versionBytes - 1}) ~= ARGV[1] then return 0 end
    return redis.call('DEL', KEYS[1])`,

  /** KEYS entry, counter · ARGV ttl ms · returns 1 when deleted and counted, else 0 */
  deleteAndCount: `
    if redis.call('DEL', KEYS[1]) == 0 then return 0 end
    redis.call('INCRBY', KEYS[2], 1)
    if redis.call('PTTL', KEYS[2]) < 0 then redis.call('PEXPIRE', KEYS[2], ARGV[1]) end
    return 1`,

  /**
   * KEYS entry, counter · ARGV version (bytes; empty: none), next version + value (bytes), ttl ms, counter's ttl ms, prefix of the kept
   * entry's key (empty: none), its version + value (bytes), its ttl ms · returns the sum, or 0 when nothing has changed
   */
  replaceAndCount: `
    if ARGV[1] == '' then
      if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
    elseif redis.call('GETRANGE', KEYS[1], 0, ${versionBytes - 1}) ~= ARGV[1] then return 0 end
    local sum = redis.call('INCRBY', KEYS[2], 1)
    if redis.call('PTTL', KEYS[2]) < 0 then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
    redis.call('SET', KEYS[1], ARGV[2] .. struct.pack('>I8', sum), 'PX', ARGV[3])
    if ARGV[5] ~= '' then redis.call('SET', ARGV[5] .. string.format('%.0f', sum), ARGV[6], 'PX', ARGV[7]) end
    return sum`,

  /** KEYS counter · ARGV amount, ttl ms · returns the sum */
  addToCounter: `
    local sum = redis.call('INCRBY', KEYS[1], ARGV[1])
    if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return sum`,

  /** KEYS mark · ARGV value, holder, ttl ms · returns 1 when the holder has the mark at this value, else 0 */
  advanceMark: `
    local there = redis.call('HMGET', KEYS[1], 'mark', 'holder')
    if there[1] then
      local mark, value = tonumber(there[1]), tonumber(ARGV[1])
      if value < mark then return 0 end
      if value == mark then return there[2] == ARGV[2] and 1 or 0 end
    end
    redis.call('HSET', KEYS[1], 'mark', ARGV[1], 'holder', ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    return 1`,

  /** KEYS set · ARGV member, expiry (epoch ms), now (epoch ms), how many may be there ('': any number) · returns 0 */
  joinSet: `
    redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
    if ARGV[4] ~= '' then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[4])) end
    local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
    if last[2] then redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last[2])) end
    return 0`,

  /** KEYS set · ARGV member, now (epoch ms) · returns 1 when it was there and had not expired, else 0 */
  leaveSet: `
    local expiry = redis.call('ZSCORE', KEYS[1], ARGV[1])
    if not expiry then return 0 end
    redis.call('ZREM', KEYS[1], ARGV[1])
    return tonumber(expiry) > tonumber(ARGV[2]) and 1 or 0`,
};

type Scripts = {
  [name in keyof typeof scripts]: (key: string, ...args: (string | number | Buffer)[]) => Promise<number>;
};

/** Sends a script by its hash and, when the server does not know it (again), whole. */
export function withScripts(redis: Redis): Scripts {
  for (const [name, lua] of Object.entries(scripts))
    redis.defineCommand(name, { numberOfKeys: lua.includes("KEYS[2]") ? 2 : 1, lua });
  return redis as unknown as Scripts;
}
