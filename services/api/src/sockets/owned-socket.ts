import { ownerOf } from "../callers/guard.ts";

/** Which socket a request is about, and whose it has to be: `identity` compares them. */
export function ownedSocket(
  request: Parameters<typeof ownerOf>[0] & { readonly params: { readonly id: string } },
): OwnedSocket {
  return { ownerId: ownerOf(request).ownerId, socketId: request.params.id };
}

export interface OwnedSocket {
  readonly ownerId: string;
  readonly socketId: string;
}
