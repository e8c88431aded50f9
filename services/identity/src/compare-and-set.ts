import { ServiceError, type ServiceErrorCode } from "@portcullis/contracts";
import type { Collection, Stored } from "@portcullis/documents";

const triesMax = 5;

/**
 * Reads, changes and writes; once more where somebody else has written meanwhile, a few times over.
 *
 * @param gone what it is called when the document is not there
 * @throws {ServiceError} `gone`; conflict when others kept winning; whatever `change` throws
 */
export async function compareAndSet<T extends object>(
  collection: Collection<T>,
  id: string,
  change: (body: T) => T,
  gone: ServiceErrorCode,
): Promise<Stored<T>> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const found = await collection.get(id);
    if (found === null) throw new ServiceError(gone);
    const written = await collection.replace(id, found.version, change(found.body));
    if (written !== null) return written;
  }
  throw new ServiceError("conflict");
}
