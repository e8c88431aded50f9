import type { AuditEntry, ShownAuditEntry } from "@portcullis/contracts";
import type { AccountContext } from "../accounts/context.ts";
import type { SocketStore } from "../sockets/store.ts";

export interface NamesContext {
  readonly sockets: SocketStore;
  readonly accounts: Pick<AccountContext, "store" | "contacts">;
}

/**
 * What the ids in entries stand for, looked up where it is kept for other reasons: in the member, and in the account of whoever is of the socket now. There is no
 * second copy that could be left behind, so whoever is removed has no name here from that moment on.
 */
export function createNames({ sockets, accounts }: NamesContext) {
  async function member(socketId: string, id: string): Promise<string | null> {
    const found = await sockets.members.get(id);
    return found?.body.socketId === socketId ? found.body.name : null;
  }

  async function account(socketId: string, id: string): Promise<string | null> {
    const [socket, person, owner] = await Promise.all([
      sockets.sockets.get(socketId),
      sockets.people.findOne({ socketId, accountId: id }),
      accounts.store.owners.get(id),
    ]);
    if (owner === null || (person === null && socket?.body.ownerId !== id)) return null;
    return accounts.contacts.open(owner.id, owner.body.emailSealed);
  }

  return async <T extends AuditEntry & { readonly n: number; readonly index: number }>(
    socketId: string,
    entries: readonly T[],
  ): Promise<ShownAuditEntry[]> => {
    const known = new Map<string, Promise<string | null>>();
    const once = (key: string, find: () => Promise<string | null>) => {
      const found = known.get(key) ?? find();
      known.set(key, found);
      return found;
    };
    return Promise.all(
      entries.map(async (entry) => {
        const { member: memberId, by } = entry;
        const memberName = memberId === undefined ? null : await once(`m${memberId}`, () => member(socketId, memberId));
        const byEmail = by === undefined ? null : await once(`a${by}`, () => account(socketId, by));
        return { ...entry, memberName, byEmail };
      }),
    );
  };
}
