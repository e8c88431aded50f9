import { dropDirectory, readDirectory, ServiceError } from "@portcullis/contracts";
import { requireSocket, type SocketContext } from "./context.ts";

interface Mine {
  readonly ownerId: string;
  readonly socketId: string;
}

export async function listDirectoryOf(context: SocketContext, request: Mine) {
  const socket = await requireSocket(context, request);
  return context.caller.call(readDirectory, { socketId: socket.id });
}

/** From then on any program of the owner's can put an identity there. */
export async function resetDirectoryOf(
  context: SocketContext,
  request: Mine & { readonly name: string },
): Promise<Record<string, never>> {
  const socket = await requireSocket(context, request);
  const { dropped } = await context.caller.call(dropDirectory, { socketId: socket.id, name: request.name });
  if (dropped === 0) throw new ServiceError("not_found");
  return {};
}
