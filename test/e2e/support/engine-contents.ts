import { Redis } from "ioredis";
import { MongoClient } from "mongodb";

/** @returns all that a Redis database holds now: keys and values, as they were written. */
export async function everythingInRedis(url: string): Promise<Buffer> {
  const redis = new Redis(url);
  try {
    const found: (Buffer | string)[] = [];
    for await (const keys of redis.scanBufferStream({ count: 1_000 }))
      for (const key of keys as Buffer[]) found.push(key, ...(await valuesOf(redis, key)));
    return joined(found);
  } finally {
    redis.disconnect();
  }
}

async function valuesOf(redis: Redis, key: Buffer): Promise<(Buffer | string)[]> {
  const type = await redis.type(key);
  switch (type) {
    case "string":
      return [(await redis.getBuffer(key)) ?? ""];
    case "hash":
      return Object.entries(await redis.hgetallBuffer(key)).flat();
    case "list":
      return redis.lrangeBuffer(key, 0, -1);
    case "set":
      return redis.smembersBuffer(key);
    case "zset":
      return redis.zrangeBuffer(key, "0", "-1");
    case "stream":
      return (await redis.xrangeBuffer(key, "-", "+")).flatMap(([id, fields]) => [id, ...(fields ?? [])]);
    // Gone meanwhile.
    case "none":
      return [];
    default:
      throw new Error(`a value of type ${type} is not looked into`);
  }
}

/** @returns all documents that a MongoDB database holds now, as BSON. */
export async function everythingInMongo(url: string): Promise<Buffer> {
  const client = new MongoClient(url);
  try {
    const found: (Buffer | string)[] = [];
    for (const { name } of await client.db().listCollections({}, { nameOnly: true }).toArray()) {
      found.push(name);
      for await (const document of client.db().collection(name).find({}, { raw: true }))
        found.push(document as unknown as Buffer);
    }
    return joined(found);
  } finally {
    await client.close();
  }
}

function joined(parts: readonly (Buffer | string)[]): Buffer {
  return Buffer.concat(parts.flatMap((part) => [typeof part === "string" ? Buffer.from(part) : part, Buffer.of(0)]));
}
