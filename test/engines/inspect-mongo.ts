import { MongoClient } from "mongodb";

/** Asks the server what it is. FerretDB tells its own version beside the one it imitates. */
export async function inspectMongo(url: string): Promise<{ readonly atomic: boolean; readonly version: string }> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 10_000 });
  try {
    const info = await client.db("admin").command({ buildInfo: 1 });
    const isFerretDb = Object.keys(info).some((key) => key.toLowerCase().startsWith("ferretdb"));
    return { atomic: !isFerretDb, version: `${isFerretDb ? "FerretDB as " : ""}${String(info.version)}` };
  } finally {
    await client.close();
  }
}
