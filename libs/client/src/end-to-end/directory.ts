import type { DirectoryEntry, SignedIdentity, SignedPrekey } from "@portcullis/protocol";
import type { Directed } from "../directed.ts";
import { PortcullisError } from "../errors.ts";

/** What the server keeps of those to whom messages of the socket can be sealed. Nothing of it is taken on its word. */
export interface SocketDirectory {
  /** Rejects with `not-found`, `unsupported` where the socket has none, `closed`. */
  find(name: string): Promise<DirectoryEntry>;
  /** Rejects with `conflict` where the name is somebody else's, `unavailable` where it cannot be recorded now or there are 16 names, `unsupported`, `closed`. A member's ends the session. */
  publish(name: string, what: { readonly identity?: SignedIdentity; readonly prekey?: SignedPrekey }): Promise<void>;
}

export function createDirectory({ ask }: Pick<Directed, "ask">): SocketDirectory {
  return {
    async find(name) {
      const found = await ask({ t: "directory", name });
      if (found?.t !== "entry" || found.name !== name) throw new PortcullisError("protocol");
      return found;
    },
    async publish(name, what) {
      await ask({ t: "publish", name, ...what });
    },
  };
}
