import type { Server } from "@portcullis/bus";
import { signAudit } from "@portcullis/contracts";
import { signAuditStatement } from "@portcullis/crypto";
import type { IdentitySource } from "./identity.ts";

/** Signs what `identity` says of a book. The label keeps it from being anything else that this key signs. */
export async function serveAudit(server: Server, identities: IdentitySource): Promise<void> {
  await server.serve(signAudit, async (statement) => {
    const { identity } = await identities.current();
    return { key: identity.publicKey, sig: await signAuditStatement(identity, statement) };
  });
}
